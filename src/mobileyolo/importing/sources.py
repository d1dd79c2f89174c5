"""What a reader of a foreign format returns: images with their boxes, and a note on everything that it left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
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
# What a source calls the images of a split; trainval still has to be divided into train and val.
Part = Literal[Split, "trainval"]
# Where several claim an image, the first of these has it: what may be measured on is never trained on.
PRECEDENCE: tuple[Part, ...] = ("test", "val", "train", "trainval")
ANNOTATIONS = {".xml": "voc", ".json": "coco or labelme", ".txt": "bare"}  # formats by suffix of their annotations
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # of a name, also in camel case


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
    split: what the source calls the part that it belongs to, if it says so.
    declared: width and height in pixels of the image that the boxes were drawn on, if the annotation has them.
    objects: how many the annotation lists, with those that the reader left out.
    """

    file: str
    labels: str
    boxes: tuple[SourceBox, ...]
    objects: int
    split: Part | None = None
    declared: tuple[int, int] | None = None
    unit: Unit = "pixels"


@dataclass(frozen=True)
class ForeignDataset:
    """A foreign dataset as read: class names by id, images in the order of their files, notes.

    unread: how many files could not be read whose classes may be missing from the names.
    """

    names: tuple[str, ...]
    images: tuple[SourceImage, ...]
    notes: tuple[Note, ...]
    unread: int = 0


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


def other_formats(root: Path, own: str) -> str:
    """What to say of a folder without files of a suffix: which formats the others in it are for; "" if none."""
    found = {suffix: len(files_below(root, [suffix])) for suffix in ANNOTATIONS if suffix != own}
    told = [f"its {count:,} {suffix} files are for {ANNOTATIONS[suffix]}" for suffix, count in found.items() if count]
    return "".join(f"; {each}" for each in told)


def split_called(name: str) -> Part | None:
    """The split that a name contains: `train2017`, `instances_val`, `valid`, `Test`, `voc07_trainval`, `train_val`.

    None if it names none, or all of them.
    """
    words = {word.lower() for word in WORD.findall(name)}
    named = {split for split, names in SPLIT_NAMES.items() if words & set(names)}
    if "trainval" in words:
        named |= {"train", "val"}
    if named == {"val", "test"} and "dev" in words:  # COCO's test-dev is a part of its test images
        return "test"
    if named == {"train", "val"}:
        return "trainval"
    return named.pop() if len(named) == 1 else None


def split_of_folders(file: str) -> Part | None:
    """The split that the names of a file's folders contain; of several, the first in PRECEDENCE."""
    return _first({split_called(folder) for folder in PurePosixPath(file).parts[:-1]})


def split_of_claims(file: str, claims: Mapping[str, Part], notes: list[Note]) -> Part | None:
    """The split of an image that lists or annotation files claim, with a note if they contradict each other.

    Args:
        file: The image.
        claims: What each list or annotation file calls the part that has the image.
        notes: Gets the note.
    """
    said = set(claims.values())
    first = _first(said)
    if len(said - {"trainval"}) > 1 or said == {"test", "trainval"}:
        notes.append(Note(file, "", f"image in several splits, kept in {first}", " and ".join(claims), "changed"))
    return first


def _first(parts: Collection[Part | None]) -> Part | None:
    return next((part for part in PRECEDENCE if part in parts), None)


def size_of(width: float | None, height: float | None) -> tuple[int, int] | None:
    """A size as an annotation declares it, in pixels; None if it has none, as where a tool writes 0 0."""
    return (int(width), int(height)) if width and height and min(width, height) >= 1 else None


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
            background.append(SourceImage(image, "", (), 0))
        else:
            notes.append(Note(image, "", "image without annotation"))
    return background
