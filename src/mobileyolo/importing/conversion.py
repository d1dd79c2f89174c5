"""mobileyolo import: reads, checks, splits and writes a dataset, and says what was left out or changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.quoting import option
from mobileyolo.core.records import SPLITS, Split
from mobileyolo.core.text import printable
from mobileyolo.dataset.description import Entry, class_names
from mobileyolo.dataset.similarity import NEAR, near_duplicate_groups
from mobileyolo.dataset.text import shortened
from mobileyolo.importing import bare, coco, voc
from mobileyolo.importing.checking import CheckedImage, check_images
from mobileyolo.importing.formats import SourceFormat
from mobileyolo.importing.sources import ForeignDataset, Note, Options, Outcome
from mobileyolo.importing.splitting import split_groups
from mobileyolo.importing.writing import NOTES_FILE, write

READERS: dict[SourceFormat, Callable[[Path, Options], ForeignDataset]] = {
    "voc": voc.read,
    "coco": coco.read,
    "bare": bare.read,
}
SHOWN_NOTES = 3  # of a kind
SHOWN_KINDS = 50  # a reason can quote the source, so there can be as many as lines
KEPT_FOR: tuple[Split, ...] = ("test", "val", "train")  # the first of them keeps an image that is in several splits


@dataclass(frozen=True)
class Imported:
    """The result of an import.

    splits: number of images and boxes in each split.
    how: how the images were split, in words.
    """

    target: Path
    splits: dict[Split, tuple[int, int]]
    classes: int
    how: str
    notes: tuple[Note, ...]

    def describe(self) -> str:
        """For the console: the new dataset, and what was left out or changed, by reason."""
        images, boxes = (sum(counts) for counts in zip(*self.splits.values(), strict=True))
        parts = ", ".join(f"{split} {count:,} ({number:,})" for split, (count, number) in self.splits.items())
        lines = [
            f"{self.target}: {images:,} images, {boxes:,} boxes, {self.classes} classes",
            f"  images (boxes): {parts}; {self.how}",
        ]
        if self.notes:
            lines.append(f"{len(self.notes):,} notes, all in {self.target / NOTES_FILE}:")
        lines += describe_notes(self.notes)
        return "\n".join([*lines, f"next: dvc exp run {option('data.dir', self.target.resolve().as_posix())}"])


def describe_notes(notes: Sequence[Note]) -> list[str]:
    """Counts by outcome and reason, the most frequent first, each with its first few places."""
    kinds: dict[tuple[Outcome, str], list[Note]] = defaultdict(list)
    for note in notes:
        kinds[note.outcome, note.reason].append(note)
    frequent = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    lines = []
    for (outcome, reason), alike in frequent[:SHOWN_KINDS]:
        lines.append(f"  {outcome}: {reason}: {len(alike):,}")
        lines += [f"    {_place(note)}" for note in alike[:SHOWN_NOTES]]
        if len(alike) > SHOWN_NOTES:
            lines.append(f"    and {len(alike) - SHOWN_NOTES:,} more")
    if len(kinds) > SHOWN_KINDS:
        lines.append(f"  and {len(kinds) - SHOWN_KINDS:,} other reasons")
    return lines


def _place(note: Note) -> str:
    return printable(" ".join(part for part in (f"{note.file}:", note.record, note.value) if part).rstrip(":"))


def import_dataset(kind: SourceFormat, root: Path, target: Path, options: Options) -> Imported:
    """Make a YOLO dataset in `target` from the foreign one in `root`, which is only read.

    Raises:
        DatasetError: the source is not in that format, nothing of it can be used, or the target is not empty.
    """
    _check_places(root, target)
    if options.val + options.test >= 1:
        raise DatasetError(f"--val {float(options.val):g} --test {float(options.test):g}: nothing is left to train on")
    source = READERS[kind](root, options)
    class_names(Entry(name, f"{root}: class name {shortened(repr(name))}") for name in source.names)
    checked, notes = check_images(root, source)
    notes = [*source.notes, *notes]
    if not any(image.lines for image in checked):
        told = "\n".join(describe_notes(notes))
        raise DatasetError(f"{root}: no image with a box that can be used" + (f":\n{told}" if told else ""))
    images, how = _split(checked, options)
    images = _without_copies(images, notes)
    for split in ("train", "val"):
        if all(split != own for _, own in images):
            raise DatasetError(f"{root}: no image is left for {split}; --resplit makes a new split of all images")
    listed = write(root, target, source.names, images, notes, options.link)
    counts = {split: [len(image.lines) for image, own in images if own == split] for split in SPLITS}
    return Imported(
        target=target,
        splits={split: (len(boxes), sum(boxes)) for split, boxes in counts.items() if boxes},
        classes=len(source.names),
        how=how,
        notes=listed,
    )


def _check_places(root: Path, target: Path) -> None:
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; SOURCE is the folder that holds images and annotations")
    if target.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{target}: is inside the source {root}, which is only read; choose another place")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target}: already exists; choose a new or empty folder")


def _split(images: Sequence[CheckedImage], options: Options) -> tuple[list[tuple[CheckedImage, Split]], str]:
    """Each image's split, from the source or else by seed, and in words which of them it is."""
    own = {image.source.split for image in images}
    if options.resplit or None in own or "train" not in own or len(own) == 1:
        return _by_seed(images, options), f"split by seed {options.seed}, near-duplicates together"
    parts = [(image, image.source.split) for image in images if image.source.split is not None]
    if "val" in own:
        return parts, "the source's own split"
    train = _by_seed([image for image, split in parts if split == "train"], replace(options, test=options.test * 0))
    how = f"the source's own test split; val taken from train by seed {options.seed}, near-duplicates together"
    return [*train, *((image, split) for image, split in parts if split != "train")], how


def _by_seed(images: Sequence[CheckedImage], options: Options) -> list[tuple[CheckedImage, Split]]:
    splits = split_groups([image.classes for image in images], _groups(images), options.val, options.test, options.seed)
    return list(zip(images, splits, strict=True))


def _groups(images: Sequence[CheckedImage]) -> NDArray[np.int64]:
    """Number of each image's group of near-duplicates."""
    return near_duplicate_groups(np.array([image.facts.dhash for image in images], dtype=np.uint64), NEAR)


def _without_copies(
    images: Sequence[tuple[CheckedImage, Split]], notes: list[Note]
) -> list[tuple[CheckedImage, Split]]:
    """The images, without copies: one that several splits have stays only in the first of KEPT_FOR."""
    keepers: dict[str, tuple[Split, str]] = {}
    for split in KEPT_FOR:
        for image, own in images:
            if own == split:
                keepers.setdefault(image.facts.sha256, (split, image.source.file))
    left = []
    for image, split in images:
        keeper, file = keepers[image.facts.sha256]
        if split == keeper:
            left.append((image, split))
        else:
            notes.append(Note(image.source.file, "", f"copy in {split} of an image in {keeper}", file))
    return left
