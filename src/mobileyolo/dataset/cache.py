"""A cache of what was read from a dataset's files, outside of the dataset."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from mobileyolo.core.files import replacing_folder
from mobileyolo.dataset.folders import identity

READER_PACKAGES = ("ImageHash", "numpy", "opencv-python", "pillow", "simplejpeg")  # packages that decide what is read
READER_MODULES = (  # modules of ours that do
    "core/datasets.py",
    "dataset/folders.py",
    "dataset/images.py",
    "dataset/labels.py",
    "dataset/layout.py",
    "dataset/scanning.py",
    "dataset/text.py",
)
FRESH_NS = 2_000_000_000  # a file that was written this shortly before may change again with the same time stamp


class Memory:
    """The tables of one dataset as they were read before.

    A file counts as unchanged if its size, time stamps and inode, together its `stamp`, are the remembered ones.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        """Open the memory of the dataset in `root`; it lies below `folder`."""
        place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]
        self._folder = folder / place

    def recall(self, stamps: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """The kept tables of images and boxes, without images whose stamp has changed; None if nothing can be recalled.

        Args:
            stamps: by image, the stamp of the image and its label file now.
        """
        try:
            folder = identity(self._folder)
            images = pd.read_parquet(self._folder / "images.parquet")
            boxes = pd.read_parquet(self._folder / "boxes.parquet")
            if identity(self._folder) != folder:  # another validation has just put its own tables there
                return None
            same = (images.pop("reader") == reader()) & (images.pop("stamp") == images["image"].map(stamps))
        except Exception:  # missing, damaged or of another release: read everything again
            return None
        images = images[same]
        return images, boxes[boxes["image"].isin(images["image"])]

    def keep(self, images: pd.DataFrame, boxes: pd.DataFrame, stamps: pd.Series, started_ns: int) -> None:
        """Keep what was read, except of files that changed too shortly before the reading started.

        Files that could not be opened are not kept either: next time they may open with the same stamp. If the folder
        can't be written, nothing is kept, and that is not an error.
        """
        unopened = boxes.loc[boxes["parse_error"].notna() & (boxes["text"] == ""), "image"]
        opened = images[(images["sha256"] != "") & ~images["image"].isin(unopened)]
        stamped = opened.assign(reader=reader(), stamp=opened["image"].map(stamps))
        settled = stamped.loc[[_newest_ns(stamp) < started_ns - FRESH_NS for stamp in stamped["stamp"]]]
        try:
            with replacing_folder(self._folder) as folder:
                settled.to_parquet(folder / "images.parquet", index=False)
                boxes[boxes["image"].isin(settled["image"])].to_parquet(folder / "boxes.parquet", index=False)
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)


@cache
def reader() -> str:
    """Digest of everything that decides what is read from a file."""
    digest = hashlib.sha256(repr([version(package) for package in READER_PACKAGES]).encode())
    for name in READER_MODULES:
        digest.update(Path(__file__).parents[1].joinpath(name).read_bytes())
    return digest.hexdigest()[:32]


def _newest_ns(stamp: str) -> int:
    """Time of the last change of a file or its label file, in nanoseconds since 1970."""
    times = [int(word) for part in stamp.split("|") for word in part.split()[1:3]]
    return max(times, default=0)
