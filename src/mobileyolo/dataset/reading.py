"""A YOLO detection dataset as tables, faults included. Reads, never writes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mobileyolo.core.records import Split
from mobileyolo.dataset.layout import Layout, find_layout, image_folder_of, images_in, label_of
from mobileyolo.dataset.pairing import other_spellings
from mobileyolo.dataset.scanning import scan


@dataclass(frozen=True)
class RawDataset:
    """A dataset as found.

    names: class names by id.
    splits: the splits that the dataset has.
    images: split, image, label (paths below the folder, with forward slashes), label_exists, and the columns of
        `images.ImageFacts`; in the order of splits and paths.
    boxes: image, label, and the columns of `labels.LabelLine`; one row for each non-blank line of an image's label
        file, in the order of images and lines; only once if the image is in two splits.
    orphans: label files without an image, sorted.
    ambiguous: by image, several label files that could be its own, were they spelt as it is.
    absent: splits that are declared and not there, or set aside; with the reason.
    """

    names: tuple[str, ...]
    splits: tuple[Split, ...]
    images: pd.DataFrame
    boxes: pd.DataFrame
    orphans: tuple[str, ...]
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent: Mapping[Split, str] = field(default_factory=dict)


def read_dataset(root: Path, memory_dir: Path | None = None) -> RawDataset:
    """Read all images and labels of the dataset in a folder; faults in them become rows, not errors.

    Args:
        root: The dataset's folder.
        memory_dir: Where to remember what was read, so that the next time only changed files are read.

    Raises:
        DatasetError: no dataset is found there; see `layout.find_layout`.
    """
    layout = find_layout(root)
    rows = pd.DataFrame(
        [(split, image) for split, images in layout.images.items() for image in images], columns=["split", "image"]
    )
    distinct = rows["image"].drop_duplicates().tolist()
    left = _orphans(root, layout)
    there = set(layout.labels)
    expected = {image: label for image in distinct if (label := label_of(image)) not in there} if left else {}
    spellings = other_spellings(expected, left)
    found = scan(root, distinct, memory_dir, spellings.paired)
    images = rows.merge(found.images, on="image", how="left")  # keeps the order of rows
    orphans = tuple(label for label in left if label not in spellings.labels)
    return RawDataset(
        layout.names, tuple(layout.images), images, found.boxes, orphans, spellings.ambiguous, layout.absent
    )


def _orphans(root: Path, layout: Layout) -> tuple[str, ...]:
    """Label files without an image. If the image exists but no list names it, it was left out on purpose."""
    own = {label_of(image) for images in layout.images.values() for image in images}
    left = [label for label in layout.labels if label not in own]
    folders = {image_folder_of(label) for label in left}
    there = {label_of(image) for folder in folders for image in images_in(root, folder)}
    return tuple(label for label in left if label not in there)
