"""Reads a folder of images with YOLO label files beside them or below `labels`, and a list of class names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.labels import LabelLine, read_label
from mobileyolo.dataset.layout import CLASSES_FILE, find_layout, label_of
from mobileyolo.importing.class_lists import read_class_names
from mobileyolo.importing.darknet import read_splits
from mobileyolo.importing.sources import (
    ForeignDataset,
    Note,
    Options,
    Part,
    SourceBox,
    SourceImage,
    files_below,
    images_below,
    other_formats,
    split_of_claims,
    split_of_folders,
)


def read(root: Path, options: Options) -> ForeignDataset:
    """Read the images and labels below a folder, and its own split from data.yaml, Darknet's lists or folders' names.

    Raises:
        DatasetError: there are no images, no labels or no class names.
    """
    listing = images_below(root)
    if not listing:
        raise DatasetError(f"{root}: no images in or below it; name the folder that holds both images and labels")
    texts = {file for file in files_below(root, [".txt"]) if PurePosixPath(file).name != CLASSES_FILE}
    if not texts:
        raise DatasetError(f"{root}: no .txt files with labels of images{other_formats(root, '.txt')}")
    names = options.names or read_class_names(root)
    images, notes, used = [], [], set[str]()
    for file in listing:
        found = [label for label in _places(file) if label in texts]
        used.update(found)
        read = {label: read_label(root / label) for label in found}
        if any(lines != read[found[0]] for lines in read.values()):
            notes.append(Note(file, "", "several label files that differ", " and ".join(found)))
        elif found:
            images.append(_image(file, found[0], read[found[0]], names, notes))
        elif options.background:
            images.append(SourceImage(file, "", (), 0, unit="sides"))
        else:
            notes.append(Note(file, "", "image without label file"))
    claims, lists = _claims(root), read_splits(root, texts - used, listing, notes)
    notes.extend(Note(file, "", "label file without image") for file in sorted(texts - used - lists.keys()))
    for file, (part, listed) in lists.items():
        for image in listed:
            claims[image][file] = part
    images = [
        replace(image, split=split_of_claims(image.file, claims[image.file], notes) or split_of_folders(image.file))
        for image in images
    ]
    return ForeignDataset(names, tuple(images), tuple(notes))


def _claims(root: Path) -> dict[str, dict[str, Part]]:
    """The splits of each image by the source's own data.yaml, if it has one that could be used as it is."""
    claims: dict[str, dict[str, Part]] = defaultdict(dict)
    with suppress(DatasetError):
        for split, images in find_layout(root).images.items():
            for image in images:
                claims[image][f"{split} of data.yaml"] = split
    return claims


def _places(image: str) -> Iterable[str]:
    """Paths where an image's label file may be, below the source."""
    path = PurePosixPath(image).with_suffix(".txt")
    places = (path, label_of(image), PurePosixPath("labels", path), path.parent / "labels" / path.name)
    return dict.fromkeys(str(place) for place in places)


def _image(file: str, label: str, lines: list[LabelLine], names: tuple[str, ...], notes: list[Note]) -> SourceImage:
    boxes = []
    for line in lines:
        fault = line.parse_error or _class_fault(line, len(names))
        if fault:
            notes.append(Note(label, f"line {line.line}", fault, line.text))
            continue
        shown = f"{line.class_id:g} {line.x:g} {line.y:g} {line.w:g} {line.h:g}"
        edges = (line.x - line.w / 2, line.y - line.h / 2, line.x + line.w / 2, line.y + line.h / 2)
        boxes.append(SourceBox(f"line {line.line}", names[int(line.class_id)], edges, shown))
    return SourceImage(file, label, tuple(boxes), len(lines), unit="sides")


def _class_fault(line: LabelLine, classes: int) -> str:
    return "" if 0 <= line.class_id < classes else f"class id without a name: known are 0 to {classes - 1}"
