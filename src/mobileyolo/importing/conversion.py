"""mobileyolo import: reads, checks, splits and writes a dataset, and says what was left out or changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.quoting import option
from mobileyolo.core.records import SPLITS, Split
from mobileyolo.core.text import printable
from mobileyolo.dataset.description import Entry, class_names
from mobileyolo.dataset.text import shortened
from mobileyolo.importing import bare, coco, labelme, voc
from mobileyolo.importing.checking import CheckedImage, check_images
from mobileyolo.importing.formats import ONLY_FOR, SourceFormat
from mobileyolo.importing.sources import PRECEDENCE, ForeignDataset, Note, Options, Outcome, Part
from mobileyolo.importing.splitting import split_images
from mobileyolo.importing.writing import NOTES_FILE, write

READERS: dict[SourceFormat, Callable[[Path, Options], ForeignDataset]] = {
    "voc": voc.read,
    "coco": coco.read,
    "labelme": labelme.read,
    "bare": bare.read,
}
SHOWN_NOTES = 3  # of a kind
SHOWN_PLACE = 300  # characters: a source can have values of any length
SHOWN_KINDS = 50  # a reason can quote the source, so there can be as many as lines


@dataclass(frozen=True)
class Imported:
    """The result of an import.

    splits: number of images and boxes in each split.
    how: how the images were split, in words.
    unread: how many files could not be read whose classes may be missing.
    """

    target: Path
    splits: dict[Split, tuple[int, int]]
    classes: int
    how: str
    notes: tuple[Note, ...]
    unread: int = 0

    def describe(self) -> str:
        """For the console: the new dataset, and what was left out or changed, by reason."""
        images, boxes = (sum(counts) for counts in zip(*self.splits.values(), strict=True))
        parts = ", ".join(f"{split} {count:,} ({number:,})" for split, (count, number) in self.splits.items())
        lines = [
            f"{self.target}: {images:,} images, {boxes:,} boxes, {self.classes} classes",
            f"  images (boxes): {parts}; {self.how}",
        ]
        if self.unread:
            missing = f"{self.unread:,} {'file' if self.unread == 1 else 'files'} could not be read"
            lines.append(f"  classes: {missing}, and may have others; give all of them by --names a,b,c")
        if self.notes:
            lines.append(f"{len(self.notes):,} notes, all in {self.target / NOTES_FILE}:")
        lines += describe_notes(self.notes)
        data = option("data.dir", self.target.absolute().as_posix())
        return "\n".join([*lines, f"next: dvc exp run {data}"])


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
    place = " ".join(part for part in (f"{note.file}:", note.record, note.value) if part).rstrip(":")
    return printable(shortened(place, SHOWN_PLACE))


def import_dataset(kind: SourceFormat, root: Path, target: Path, options: Options) -> Imported:
    """Make a YOLO dataset in `target` from the foreign one in `root`, which is only read.

    Raises:
        DatasetError: the source is not in that format, an option means nothing for it, nothing of it can be used, or
            the target is not empty.
    """
    _check_places(root, target)
    for name, formats in ONLY_FOR.items():
        if getattr(options, name) and kind not in formats:
            flag = f"--{name.replace('_', '-')}"
            raise DatasetError(f"{flag}: means nothing for {kind}, only for {', '.join(formats)}; leave it out")
    if options.val + options.test >= 1:
        raise DatasetError(f"--val {float(options.val):g} --test {float(options.test):g}: nothing is left to train on")
    source = READERS[kind](root, options)
    class_names(Entry(name, f"{root}: class name {shortened(repr(name))}") for name in source.names)
    checked, notes = check_images(root, source)
    notes = [*source.notes, *notes]
    if not any(image.lines for image in checked):
        told = "\n".join(describe_notes(notes))
        raise DatasetError(f"{root}: no image with a box that can be used" + (f":\n{told}" if told else ""))
    images, how = split_images(root, checked, options, notes)
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
        unread=0 if options.names else source.unread,
    )


def _check_places(root: Path, target: Path) -> None:
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; SOURCE is the folder that holds images and annotations")
    if target.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{target}: is inside the source {root}, which is only read; choose another place")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target}: already exists; choose a new or empty folder")


def _without_copies(
    images: Sequence[tuple[CheckedImage, Split]], notes: list[Note]
) -> list[tuple[CheckedImage, Split]]:
    """The images, without copies: one that several splits have stays only in the first in PRECEDENCE."""
    keepers: dict[str, tuple[Part, str]] = {}
    for split in PRECEDENCE:
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
