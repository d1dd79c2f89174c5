"""The content of the tables that pass from stage to stage, but for those of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mobileyolo.core.files import MANIFEST_DIR, SCENES_FILE, write_table


@dataclass(frozen=True)
class Manifest:
    """The clean rows of a dataset, which the trainer reads: data/manifest/.

    images: split, image and label (paths below data.dir, with forward slashes; label is "" if the image has none),
        width, height (pixels, as decoded), bytes, sha256; sorted by split and image.
    boxes: image, line (1-based, in the label file), class_id, x, y, w, h (xywhn: centre and size in [0, 1]);
        in the order of images and lines.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame

    # Types by column.
    IMAGE_COLUMNS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("split", "image", "label"), "string"),
        **dict.fromkeys(("width", "height", "bytes"), "int64"),
        "sha256": "string",
    }
    BOX_COLUMNS: ClassVar[Mapping[str, str]] = {
        "image": "string",
        **dict.fromkeys(("line", "class_id"), "int64"),
        **dict.fromkeys(("x", "y", "w", "h"), "float64"),
    }

    @classmethod
    def read(cls, folder: Path = MANIFEST_DIR) -> Manifest:
        """Read both tables."""
        return cls(pd.read_parquet(folder / "images.parquet"), pd.read_parquet(folder / "boxes.parquet"))

    def write(self, folder: Path = MANIFEST_DIR) -> None:
        """Write both tables."""
        write_table(folder / "images.parquet", self.images[list(self.IMAGE_COLUMNS)])
        write_table(folder / "boxes.parquet", self.boxes[list(self.BOX_COLUMNS)])


@dataclass(frozen=True)
class Scenes:
    """Which images are not independent, because they show the same scene: data/scenes.parquet.

    table: split, image (as in the manifest, in its order), scene (int32); scenes are numbered from 0 in the order of
        first appearance, and each is of one split.
    """

    table: pd.DataFrame

    @classmethod
    def read(cls, path: Path = SCENES_FILE) -> Scenes:
        """Read the table."""
        return cls(pd.read_parquet(path))

    def write(self, path: Path = SCENES_FILE) -> None:
        """Write the table."""
        write_table(path, self.table)

    def of(self, split: str, images: Sequence[str]) -> NDArray[np.int64]:
        """The scene of each of these images of one split, shape (images,), from 0 in the order of first appearance.

        Raises:
            KeyError: one of them is not in the split.
        """
        own = self.table[self.table["split"] == split].set_index("image")["scene"]
        return pd.factorize(own.loc[list(images)])[0]
