"""Datasets of any size: images of smooth blotches, each another one, with boxes at random places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from joblib import Parallel, delayed
from PIL import Image

_AT_ONCE = 1000  # images of one task


class Splits(NamedTuple):
    """Number of images of each split; a split of 0 images is left out."""

    train: int
    val: int
    test: int = 0


def write_dataset(
    root: Path, splits: Splits, *, width: int = 320, height: int = 240, boxes: int = 10, classes: int = 5
) -> Path:
    """Write a dataset, the same one for the same values, and return its folder.

    Args:
        root: folder that is not there.
        splits: numbers of images.
        width: of the images, in pixels.
        height: likewise.
        boxes: in each image.
        classes: number of classes.
    """
    tasks = []
    counts = {split: count for split, count in splits._asdict().items() if count}
    first = 0
    for split, count in counts.items():
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        starts = range(first, first + count, _AT_ONCE)
        tasks += [
            delayed(_write)(root / split, start, min(start + _AT_ONCE, first + count), (width, height), boxes, classes)
            for start in starts
        ]
        first += count
    Parallel(n_jobs=-1 if first > _AT_ONCE else 1)(tasks)
    description = {**{split: f"{split}/images" for split in counts}, "names": [f"class{n}" for n in range(classes)]}
    (root / "data.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return root


def write_unused_files(folder: Path, count: int) -> None:
    """Files that belong to no split, as many as a large dataset has; DVC reads them, nothing else does."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:06d}.jpg").write_bytes(number.to_bytes(4, "little"))


def private_copy(dataset: Path, root: Path) -> Path:
    """A dataset's files under another folder, because Ultralytics writes beside those that it reads."""
    for folder, _, names in os.walk(dataset, followlinks=True):
        there = root / Path(folder).relative_to(dataset)
        there.mkdir(parents=True)
        for name in names:
            if not name.endswith(".cache"):
                (there / name).write_bytes((Path(folder) / name).read_bytes())
    return root


def _write(folder: Path, start: int, end: int, size: tuple[int, int], boxes: int, classes: int) -> None:
    width, height = size
    for number in range(start, end):
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 256, (max(height // 16, 2), max(width // 16, 2), 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / "images" / f"{number:06d}.jpg", quality=88)
        places = np.column_stack([rng.uniform(0.3, 0.7, (boxes, 2)), rng.uniform(0.02, 0.4, (boxes, 2))])
        # Classes take turns, so that every split has all of them.
        lines = [
            f"{(number + place) % classes} " + " ".join(f"{value:.6f}" for value in box)
            for place, box in enumerate(places)
        ]
        (folder / "labels" / f"{number:06d}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
