"""A small YOLO dataset for tests: coloured rectangles, a few KB, the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

BOXES_AN_IMAGE = 2


def write_dataset(
    root: Path,
    *,
    train: int = 4,
    val: int = 2,
    test: int = 2,
    size: int = 64,
    classes: Sequence[str] = ("square", "bar"),
    seed: int = 0,
) -> Path:
    """Write a dataset with data.yaml and return its folder. A split of 0 images is left out.

    Each image has one object in its left and one in its right half, all of the classes in turn: a class has a colour
    and a shape of its own, and each image a background of its own.
    """
    counts = {split: count for split, count in (("train", train), ("val", val), ("test", test)) if count}
    rng = np.random.default_rng(seed)
    number = 0
    for split, count in counts.items():
        images, labels = root / split / "images", root / split / "labels"
        images.mkdir(parents=True)
        labels.mkdir()
        for index in range(count):
            pixels = np.full((size, size, 3), rng.integers(0, 90, 3), dtype=np.uint8)
            lines = []
            for half in range(BOXES_AN_IMAGE):
                class_id = number % len(classes)
                number += 1
                width, height = _shape(rng, class_id, size)
                left = half * size // 2 + int(rng.integers(0, size // 2 - width + 1))
                top = int(rng.integers(0, size - height + 1))
                pixels[top : top + height, left : left + width] = _colour(class_id)
                x, y = (left + width / 2) / size, (top + height / 2) / size
                lines.append(f"{class_id} {x:.6f} {y:.6f} {width / size:.6f} {height / size:.6f}\n")
            Image.fromarray(pixels).save(images / f"{index:03d}.png")
            (labels / f"{index:03d}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
    description = {**{split: f"{split}/images" for split in counts}, "names": list(classes)}
    (root / "data.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return root


def _shape(rng: np.random.Generator, class_id: int, size: int) -> tuple[int, int]:
    """Width and height in pixels: the classes alternate between squares and upright bars."""
    width = int(rng.integers(size // 8, size // 4, endpoint=True))
    return (width, width) if class_id % 2 == 0 else (width // 2, 2 * width)


def _colour(class_id: int) -> tuple[int, int, int]:
    """Bright and different for each of the first seven classes."""
    bits = class_id % 7 + 1
    return (130 + 125 * (bits & 1), 130 + 125 * (bits >> 1 & 1), 130 + 125 * (bits >> 2 & 1))
