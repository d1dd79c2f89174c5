"""Reads Pascal VOC: one XML file for each image, in `Annotations` or beside the image.

defusedxml reads the XML. supervision's reader would stop at the first bad file or box, and would not say what it leaves
out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]  # ships no types
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from mobileyolo.core.datasets import read_regular
from mobileyolo.core.errors import DatasetError
from mobileyolo.core.records import SPLITS, Split
from mobileyolo.dataset.layout import LISTING_MB
from mobileyolo.dataset.text import read_lines
from mobileyolo.importing.sources import (
    ForeignDataset,
    Note,
    Options,
    SourceBox,
    SourceImage,
    files_below,
    images_below,
    split_of_folders,
)

IMAGE_FOLDERS = ("JPEGImages", "images", "Images")  # beside `Annotations`
XML_MB = 16  # fifty thousand objects and more
OBJECTS = 100_000  # in a file, empty ones too
EDGES = ("xmin", "ymin", "xmax", "ymax")


def read(root: Path, options: Options) -> ForeignDataset:
    """Read the XML files below a folder, and its own split from `ImageSets/Main` or from folders' names.

    Raises:
        DatasetError: there is no XML file.
    """
    annotations = files_below(root, [".xml"])
    if not annotations:
        raise DatasetError(f"{root}: no .xml files; a VOC dataset has one for each image")
    index = _Images(root)
    notes: list[Note] = []
    found: dict[str, SourceImage] = {}
    annotated: set[str] = set()  # images with an annotation, even a bad one: they are not background
    for file in annotations:
        tree = _tree(root, file, notes)
        named = "" if tree is None else _text(tree, "filename")
        candidates = index.of(file, named)
        annotated.update(candidates)
        if tree is None:
            continue
        if len(candidates) != 1:
            reason = "several images of that name" if candidates else "annotation without image"
            notes.append(Note(file, "", reason, " and ".join(candidates) or named))
        elif candidates[0] in found:
            value = f"{candidates[0]}: {found[candidates[0]].labels}"
            notes.append(Note(file, "", "second annotation of an image", value))
        else:
            found[candidates[0]] = _image(tree, candidates[0], file, options, notes)
    for image in index.files:
        if image in found:
            continue
        if image in annotated:
            notes.append(Note(image, "", "image without usable annotation"))
        elif options.background:
            found[image] = SourceImage(image, "", (), 0, split_of_folders(image))
        else:
            notes.append(Note(image, "", "image without annotation"))
    images = _split(root, found, notes)
    names = options.names or tuple(sorted({box.name for image in images for box in image.boxes}))
    return ForeignDataset(names, tuple(images), tuple(notes))


def _tree(root: Path, file: str, notes: list[Note]) -> Element | None:
    """An annotation as XML; None, with a note, if it is not an annotation."""
    try:
        tree: Element = fromstring(read_regular(root / file, XML_MB, "annotation file"))
    except DefusedXmlException as error:
        notes.append(Note(file, "", "XML with entities, which are not read", type(error).__name__))
        return None
    # Expat raises LookupError or ValueError for an unknown encoding.
    except (OSError, ParseError, LookupError, ValueError) as error:
        line = f"line {error.position[0]}" if isinstance(error, ParseError) else ""
        reason = error.strerror if isinstance(error, OSError) else str(error)  # without the path
        notes.append(Note(file, line, "not readable as XML", reason or type(error).__name__))
        return None
    if tree.tag != "annotation":
        notes.append(Note(file, "", "XML that is not an annotation", f"<{tree.tag}>"))
    elif (objects := len(tree.findall("object"))) > OBJECTS:
        notes.append(Note(file, "", f"annotation of more than {OBJECTS:,} objects", f"{objects:,}"))
    else:
        return tree
    return None


class _Images:
    """The image files of the source, by path and by name without suffix."""

    def __init__(self, root: Path) -> None:
        self.files = images_below(root)
        self._by_place: dict[str, list[str]] = defaultdict(list)  # path without suffix
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for file in self.files:
            path = PurePosixPath(file)
            self._by_place[str(path.with_suffix(""))].append(file)
            self._by_stem[path.stem].append(file)

    def of(self, annotation: str, named: str) -> list[str]:
        """Images that an annotation may belong to: by its own path first, then by the file name in it."""
        name = PurePosixPath(named.replace("\\", "/")).name
        for place in _places(annotation):
            if found := self._by_place.get(place):
                exact = [file for file in found if PurePosixPath(file).name == name]
                return exact or found
        for stem in (PurePosixPath(annotation).stem, PurePosixPath(name).stem):
            if found := self._by_stem.get(stem):
                return found
        return []


def _places(annotation: str) -> Iterator[str]:
    """Paths where an annotation's image may be, without suffix."""
    path = PurePosixPath(annotation).with_suffix("")
    yield str(path)
    for depth, part in enumerate(path.parts[:-1]):
        if part.lower() == "annotations":
            for folder in IMAGE_FOLDERS:
                yield str(PurePosixPath(*path.parts[:depth], folder, *path.parts[depth + 1 :]))


def _image(tree: Element, image: str, file: str, options: Options, notes: list[Note]) -> SourceImage:
    objects = tree.findall("object")
    boxes = []
    for number, each in enumerate(objects, start=1):
        record = f"object {number}"
        name = _text(each, "name")
        texts = [_text(each, f"bndbox/{edge}") for edge in EDGES]
        edges = [_number(text) for text in texts]
        shown = f"{name or '?'}: {' '.join(text or '?' for text in texts)}"
        if not name:
            notes.append(Note(file, record, "object without a class name", shown))
        elif None in edges:
            notes.append(Note(file, record, "object without four numbers for its box", shown))
        elif _text(each, "difficult") == "1" and not options.difficult:
            notes.append(Note(file, record, "difficult object", shown))
        else:
            left, top, right, bottom = (edge for edge in edges if edge is not None)
            if not options.from_zero:
                if min(left, top) < 1:
                    reason = "box from pixel 0, though VOC counts from 1 (see --from-zero)"
                    notes.append(Note(file, record, reason, shown, "kept"))
                # Pixels counted from 1, the last one included (VOC2007 development kit, documentation and
                # VOCevaldet.m); clamped, because some tools write edges counted from 0 under the same tags.
                left, top = max(left - 1, 0), max(top - 1, 0)
            boxes.append(SourceBox(record, name, (left, top, right, bottom), shown))
    width, height = (_number(_text(tree, f"size/{side}")) for side in ("width", "height"))
    declared = (int(width), int(height)) if width and height else None
    return SourceImage(image, file, tuple(boxes), len(objects), split_of_folders(image), declared)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _split(root: Path, found: dict[str, SourceImage], notes: list[Note]) -> list[SourceImage]:
    """The images in the order of their files, with their split in `ImageSets/Main`, if there is one."""
    listed = _listed(root, found, notes)
    if not listed:
        return [found[file] for file in sorted(found)]
    homes = {home for home, _ in listed}
    images = []
    for file, image in sorted(found.items()):
        stem = PurePosixPath(file).stem
        own = next((listed[home, stem] for home in homes if _is_below(file, home) and (home, stem) in listed), None)
        if own is None:
            notes.append(Note(file, "", "image in none of the lists in ImageSets/Main"))
        else:
            images.append(SourceImage(**{**vars(image), "split": own}))
    return images


def _listed(root: Path, found: Iterable[str], notes: list[Note]) -> dict[tuple[str, str], Split]:
    """What the lists in `ImageSets/Main` say: the split by the folder that `ImageSets` lies in, and an image's stem."""
    listed: dict[tuple[str, str], Split] = {}
    lists = [file for file in files_below(root, [".txt"]) if PurePosixPath(file).parent.name == "Main"]
    for split in SPLITS:
        for file in lists:
            if PurePosixPath(file).stem != split:
                continue
            home = str(PurePosixPath(file).parent.parent.parent)
            stems = {PurePosixPath(image).stem for image in found if _is_below(image, home)}
            for number, stem in read_lines(root / file, LISTING_MB, "list of images"):
                if stem not in stems:  # some lists name the file, or have a second column
                    stem = PurePosixPath(stem.split()[0]).stem
                if stem not in stems:
                    notes.append(Note(file, f"line {number}", "listed image that is not there or was left out", stem))
                elif listed.setdefault((home, stem), split) != split:
                    notes.append(Note(file, f"line {number}", "image listed in two splits", stem))
    return listed


def _is_below(file: str, folder: str) -> bool:
    return folder == "." or PurePosixPath(file).is_relative_to(folder)
