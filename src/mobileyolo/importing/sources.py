"""What a reader of a foreign format returns: images with their boxes, and a note on everything that it left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Literal

from mobileyolo.core.records import Split
from mobileyolo.dataset.description import SPLIT_NAMES
from mobileyolo.dataset.folders import is_file, join, suffix, walk
from mobileyolo.dataset.layout import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES

Unit = Literal["pixels", "sides"]  # pixels, or shares of the image's width and height, after its EXIF rotation
Edges = tuple[float, float, float, float]  # left, top, right, bottom
Outcome = Literal["left out", "changed", "kept"]


@dataclass(frozen=True)
class Options:
    """How to import.

    names: classes in the order of their ids; None for the source's own.
    val, test: share of the images; multiples of 0.05.
    resplit: split by seed even if the source has a split of its own?
    difficult: keep the boxes that a VOC source marks as difficult?
    from_zero: are a VOC source's coordinates edges counted from 0, and not pixels counted from 1?
    background: is an image without annotation a background?
    link: hard links instead of copies?
    """

    names: tuple[str, ...] | None = None
    seed: int = 0
    val: Fraction = Fraction(1, 5)
    test: Fraction = Fraction(1, 10)
    resplit: bool = False
    difficult: bool = False
    from_zero: bool = False
    background: bool = False
    link: bool = False


@dataclass(frozen=True)
class Note:
    """Something in the source that is left out of the dataset, changed, or kept although it is suspicious."""

    file: str  # below the source, with forward slashes
    record: str  # in the file, as `line 3`; empty for the whole file
    reason: str
    value: str = ""
    outcome: Outcome = "left out"


@dataclass(frozen=True)
class SourceBox:
    """A box as the source has it."""

    record: str
    name: str  # of its class
    edges: Edges  # in the image's unit
    shown: str  # as it stands in the source


@dataclass(frozen=True)
class SourceImage:
    """An image and what the source says about it.

    file: below the source, with forward slashes.
    labels: its annotation file, below the source; "" if it has none.
    split: the source's own split of it, if there is one.
    declared: width and height in pixels, if the annotation has them.
    objects: how many the annotation lists, with those that the reader left out.
    """

    file: str
    labels: str
    boxes: tuple[SourceBox, ...]
    objects: int
    split: Split | None = None
    declared: tuple[int, int] | None = None
    unit: Unit = "pixels"


@dataclass(frozen=True)
class ForeignDataset:
    """A foreign dataset as read: class names by id, images in the order of their files, notes."""

    names: tuple[str, ...]
    images: tuple[SourceImage, ...]
    notes: tuple[Note, ...]


def files_below(root: Path, suffixes: Iterable[str]) -> list[str]:
    """Files with one of the suffixes below a folder, without hidden ones, sorted, with forward slashes.

    Raises:
        DatasetError: a folder can't be listed.
    """
    wanted = frozenset(suffixes)
    named = (join(folder, name) for folder, names in walk(root, ".") for name in names if suffix(name) in wanted)
    return sorted(file for file in named if is_file(root / file))


def images_below(root: Path) -> list[str]:
    """Image files below a folder, also of formats that can't be read, so that they are reported."""
    return files_below(root, IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES)


def split_called(name: str) -> Split | None:
    """The split that a name contains: `train2017`, `instances_val`, `valid`, `Test`."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    found = [split for split, names in SPLIT_NAMES.items() if words & {*names, *(["validation"] * (split == "val"))}]
    return found[0] if len(found) == 1 else None


def split_of_folders(file: str) -> Split | None:
    """The split that the names of a file's folders contain, the outermost first."""
    return next((split for part in PurePosixPath(file).parts[:-1] if (split := split_called(part))), None)


def unannotated(
    images: Iterable[str], found: Collection[str], annotated: Collection[str], options: Options, notes: list[Note]
) -> list[SourceImage]:
    """Of the images that no annotation was read of, those that are background; the others get a note.

    Args:
        images: All image files.
        found: Those with an annotation.
        annotated: Those that an annotation may be of, even if it can't be used: they are not background.
        options: Is an image without annotation a background?
        notes: Gets the new ones.
    """
    background = []
    for image in images:
        if image in found:
            continue
        if image in annotated:
            notes.append(Note(image, "", "image without usable annotation"))
        elif options.background:
            background.append(SourceImage(image, "", (), 0, split_of_folders(image)))
        else:
            notes.append(Note(image, "", "image without annotation"))
    return background
