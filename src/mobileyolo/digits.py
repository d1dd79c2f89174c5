"""The embedded default dataset: scikit-learn's handwritten digits, pasted in colour into dim scenes.

A scene depends only on the seed, its split, its number and its size. So with more images, the first ones stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from mobileyolo.core.config import Section, Seed
from mobileyolo.core.files import replacing_folder
from mobileyolo.core.records import SPLITS, Split

CLASSES = 10
SHARES: dict[Split, float] = {"train": 0.6, "val": 0.2, "test": 0.2}  # of the 1,797 digit samples
DIGITS_A_SCENE = (2, 6)
DIGIT_SIZE = (24, 64)  # pixels
BACKGROUND_LEVELS = (10, 70)  # of 255, per channel
NOISE = 8  # +-, of 255
GRAIN = 4  # pixels; noise of single pixels would make the files four times as large
COLOUR = (120, 255)  # of 255, per channel
VISIBLE = 0.25  # opacity from which a stroke counts as visible and belongs in the box
GAP = 2  # pixels between boxes
ATTEMPTS = 20  # to find a free place for a digit


class DigitsOptions(Section):
    """The section `digits` of params.yaml: number and size of the scenes."""

    key: ClassVar[str] = "digits"

    seed: Seed
    train: Annotated[int, Field(ge=1, le=100_000)]
    val: Annotated[int, Field(ge=1, le=100_000)]
    test: Annotated[int, Field(ge=1, le=100_000)]
    scene_size: Annotated[int, Field(ge=64, le=1280)]  # pixels


@dataclass(frozen=True)
class Scene:
    """One composed image.

    pixels: height x width x 3, RGB, uint8.
    boxes: class_id, x, y, w, h (xywhn) of each digit.
    """

    pixels: NDArray[np.uint8]
    boxes: tuple[tuple[int, float, float, float, float], ...]


def generate(digits: DigitsOptions, folder: Path) -> None:
    """Write the dataset as a YOLO folder in place of what was there; if it fails, nothing changes."""
    with replacing_folder(folder) as temporary:
        for split, samples in split_samples(digits.seed).items():
            images, labels = temporary / split / "images", temporary / split / "labels"
            images.mkdir(parents=True)
            labels.mkdir()
            for index in range(getattr(digits, split)):
                scene = compose(digits.seed, split, index, digits.scene_size, samples)
                # Level 1 compresses these scenes almost as well as the default, in half the time.
                Image.fromarray(scene.pixels).save(images / f"{index:05d}.png", compress_level=1)
                lines = [f"{class_id} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for class_id, x, y, w, h in scene.boxes]
                (labels / f"{index:05d}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
        description: dict[str, object] = {split: f"{split}/images" for split in SPLITS}
        description["names"] = [str(class_id) for class_id in range(CLASSES)]
        text = yaml.safe_dump(description, sort_keys=False)
        (temporary / "data.yaml").write_text(text, encoding="utf-8", newline="\n")


def split_samples(seed: int) -> dict[Split, NDArray[np.int64]]:
    """Row numbers of scikit-learn's digits for each split: each row in one split only, each class by SHARES."""
    target = _digits().target
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    parts: dict[Split, list[NDArray[np.int64]]] = {split: [] for split in SPLITS}
    for class_id in range(CLASSES):
        samples = rng.permutation(np.flatnonzero(target == class_id))
        ends = np.round(np.cumsum([SHARES[split] for split in SPLITS])[:-1] * len(samples)).astype(int)
        for split, part in zip(SPLITS, np.split(samples, ends), strict=True):
            parts[split].append(part)
    return {split: np.sort(np.concatenate(part)) for split, part in parts.items()}


def compose(seed: int, split: Split, index: int, size: int, samples: NDArray[np.int64]) -> Scene:
    """Compose one scene.

    Args:
        seed: Seed of the dataset.
        split: Split that the scene belongs to.
        index: Number of the scene in its split.
        size: Width and height in pixels.
        samples: Row numbers of the digits to choose from.
    """
    digits = _digits()
    rng = np.random.default_rng(np.random.SeedSequence([seed, SPLITS.index(split), index]))
    canvas = _background(rng, size)
    taken = np.zeros((size, size), dtype=bool)
    boxes = []
    for sample in rng.choice(samples, rng.integers(*DIGITS_A_SCENE, endpoint=True), replace=False):
        opacity = _opacity(digits.images[sample], int(rng.integers(*DIGIT_SIZE, endpoint=True)))
        colour = rng.integers(*COLOUR, size=3, endpoint=True)
        place = _free_place(rng, taken, opacity.shape)
        if place is None:
            continue
        top, left = place
        height, width = opacity.shape
        area = canvas[top : top + height, left : left + width]
        area += opacity[..., None] * (colour - area)
        taken[max(0, top - GAP) : top + height + GAP, max(0, left - GAP) : left + width + GAP] = True
        centre = ((left + width / 2) / size, (top + height / 2) / size)
        boxes.append((int(digits.target[sample]), *centre, width / size, height / size))
    return Scene(canvas.round().astype(np.uint8), tuple(boxes))


@cache
def _digits() -> Any:
    """scikit-learn's 1,797 digits: images (8 x 8, values 0 to 16) and target."""
    from sklearn.datasets import (
        load_digits,
    )  # slow to import, and the stage check, which imports this module, does not need it

    return load_digits()


def _background(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """A dim colour gradient between the corners, with noise, size x size x 3."""
    corners = rng.uniform(*BACKGROUND_LEVELS, size=(2, 2, 3))
    grains = -(-size // GRAIN)
    down = np.linspace(0, 1, grains)[:, None, None]
    across = np.linspace(0, 1, grains)[None, :, None]
    top = corners[0, 0] * (1 - across) + corners[0, 1] * across
    bottom = corners[1, 0] * (1 - across) + corners[1, 1] * across
    noise = rng.uniform(-NOISE, NOISE, size=(grains, grains, 1))
    coarse: NDArray[np.float64] = np.round(top * (1 - down) + bottom * down + noise)
    return coarse.repeat(GRAIN, axis=0).repeat(GRAIN, axis=1)[:size, :size]


def _opacity(digit: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """An 8 x 8 digit enlarged to a size in pixels and cut to its visible strokes; opacity in [0, 1]."""
    enlarged = Image.fromarray((digit * (255 / 16)).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    opacity = np.asarray(enlarged, dtype=np.float64) / 255
    visible = opacity >= VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    return opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _free_place(rng: np.random.Generator, taken: NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Top and left of a free rectangle; None if none was found in ATTEMPTS."""
    for _ in range(ATTEMPTS):
        top, left = rng.integers(0, np.subtract(taken.shape, shape), endpoint=True)
        if not taken[top : top + shape[0], left : left + shape[1]].any():
            return int(top), int(left)
    return None
