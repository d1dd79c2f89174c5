"""What was read from a dataset's files, remembered outside of it until a file changes."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from mobileyolo.core.files import replacing_folder
from mobileyolo.dataset.folders import identity

READERS = ("ImageHash", "numpy", "opencv-python", "pillow", "simplejpeg")  # packages that what was read comes from
MODULES = ("folders.py", "images.py", "labels.py", "layout.py", "scanning.py", "text.py")  # of ours, likewise
FRESH_NS = 2_000_000_000  # a file that was written so shortly before may change again without a new time stamp


class Memory:
    """The tables of one dataset as they were read before.

    A file counts as unchanged while its size, time stamps and inode are those that were remembered: its `stamp`.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        """Open the memory in a folder for the dataset in another."""
        place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]
        self._folder = folder / place

    def recall(self, stamps: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """Tables of the images whose stamp is still the same, as they were kept; None if nothing can be recalled.

        Args:
            stamps: by image, of the image and its label file as they are now.
        """
        try:
            folder = identity(self._folder)
            images = pd.read_parquet(self._folder / "images.parquet")
            boxes = pd.read_parquet(self._folder / "boxes.parquet")
            if identity(self._folder) != folder:  # another validation has just put its own tables there
                return None
            same = (images.pop("reader") == reader()) & (images.pop("stamp") == images["image"].map(stamps))
        except Exception:  # it was never there, is damaged or of another release: read again
            return None
        images = images[same]
        return images, boxes[boxes["image"].isin(images["image"])]

    def keep(self, images: pd.DataFrame, boxes: pd.DataFrame, stamps: pd.Series, started_ns: int) -> None:
        """Keep what was read of files, all but those that changed too shortly before the reading started.

        What could not be opened may be another time, with the same stamp. A folder that can't be written is no reason
        to stop.
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
    digest = hashlib.sha256(repr([version(package) for package in READERS]).encode())
    for name in MODULES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:32]


def _newest_ns(stamp: str) -> int:
    """Time of the last change of a file or its label file, in nanoseconds since 1970."""
    times = [int(word) for part in stamp.split("|") for word in part.split()[1:3]]
    return max(times, default=0)
