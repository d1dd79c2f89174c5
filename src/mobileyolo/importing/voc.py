"""Reads Pascal VOC: one XML file for each image, in `Annotations` or beside the image.

defusedxml reads the XML. supervision's reader would stop at the first bad file or box, and would not say what it leaves
out.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]  # ships no types
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from mobileyolo.core.datasets import read_regular
from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.layout import LISTING_MB
from mobileyolo.dataset.text import WIDE_MARKS, read_lines
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
    size_of,
    split_called,
    split_of_claims,
    split_of_folders,
)

IMAGE_FOLDERS = ("JPEGImages", "images", "Images")  # beside `Annotations`
XML_MB = 16  # fifty thousand objects and more
OBJECTS = 100_000  # in a file, empty ones too
EDGES = ("xmin", "ymin", "xmax", "ymax")
# How a file begins of which the encoding shows (XML 1.0, appendix F).
STARTS = {codecs.BOM_UTF8: "utf-8-sig", **WIDE_MARKS, b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*>")
# What files that declare the first are written in, if they go beyond it (WHATWG, Encoding Standard).
SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949"}
# A list of a split: `trainval`, `2007_test`. `dog_trainval` and `train_val` are the lists of the classes dog and train.
LIST = re.compile(r"(?:(?:19|20)\d\d_?)?([a-z]+)(?:_?(?:19|20)\d\d)?", re.IGNORECASE)


def read(root: Path, options: Options) -> ForeignDataset:
    """Read the XML files below a folder, and its own split from `ImageSets/Main` or from folders' names.

    Raises:
        DatasetError: there is no XML file.
    """
    annotations = files_below(root, [".xml"])
    if not annotations:
        raise DatasetError(f"{root}: no .xml files; a VOC dataset has one for each image{other_formats(root, '.xml')}")
    index = _Images(root)
    notes: list[Note] = []
    found: dict[str, SourceImage] = {}
    annotated: set[str] = set()  # images with an annotation, even a bad one: they are not background
    unread = 0
    for file in annotations:
        tree = _tree(root, file, notes)
        unread += tree is None
        named = "" if tree is None else _text(tree, "filename")
        candidates = index.of(file, named)
        annotated.update(candidates)
        if tree is None:
            continue
        if tree.tag != "annotation":
            notes.append(Note(file, "", "XML that is not an annotation", f"<{tree.tag}>"))
        elif len(candidates) != 1:
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
        if options.background and image not in annotated:
            found[image] = SourceImage(image, "", (), 0)
        else:
            notes.append(Note(image, "", f"image without {'usable ' if image in annotated else ''}annotation"))
    splits = _splits(root, found, notes)
    images = tuple(replace(found[file], split=splits[file]) for file in sorted(found))
    names = options.names or tuple(sorted({box.name for image in images for box in image.boxes}))
    return ForeignDataset(names, images, tuple(notes), unread)


def _tree(root: Path, file: str, notes: list[Note]) -> Element | None:
    """A file's XML; None, with a note, if it can't be read."""
    try:
        tree: Element = fromstring(_decoded(read_regular(root / file, XML_MB, "annotation file")))
    except DefusedXmlException as error:
        notes.append(Note(file, "", "XML with entities, which are not read", type(error).__name__))
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        value = f"byte 0x{error.object[error.start]:02x}: {error.reason}"
        notes.append(Note(file, f"line {line}", "not readable as XML", value))
        return None
    except (OSError, ParseError, ValueError) as error:
        record = f"line {error.position[0]}" if isinstance(error, ParseError) else ""
        reason = error.strerror if isinstance(error, OSError) else str(error)  # without the path
        notes.append(Note(file, record, "not readable as XML", reason or type(error).__name__))
        return None
    if (objects := len(tree.findall("object"))) > OBJECTS:
        notes.append(Note(file, "", f"annotation of more than {OBJECTS:,} objects", f"{objects:,}"))
        return None
    return tree


def _decoded(content: bytes) -> str:
    """The text of an XML file, without its declaration. Expat, which parses it, knows few encodings; Python many.

    A byte order mark counts before the declaration. A declaration does not count if it can't be read in the encoding
    that it names: some tools write UTF-16 into a file that is UTF-8.

    Raises:
        ValueError: it is not what it declares, or declares nothing and is not UTF-8.
    """
    encoding = next((encoding for start, encoding in STARTS.items() if content.startswith(start)), "")
    declaration = None if encoding else DECLARATION.match(content[:1000])
    if declaration:
        named = declaration[1].decode()
        try:
            if declaration[0].decode(named, "replace") == declaration[0].decode():
                encoding = codecs.lookup(named).name
        except LookupError:
            raise ValueError(f"declares the unknown encoding {named}") from None
    try:
        text = _in_encoding(content, encoding or "utf-8")
    except UnicodeDecodeError as error:
        error.reason = f"not {encoding}, which it declares" if encoding else "not UTF-8, and no encoding declared"
        raise
    head = re.match(r"\s*<\?xml\s[^>]*>", text)
    return "\n" * head[0].count("\n") + text[head.end() :] if head else text


def _in_encoding(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode(SUPERSETS.get(encoding, encoding))


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
    first = 0 if options.from_zero else 1  # so xmax = xmin - 1 is a box without width
    for number, each in enumerate(objects, start=1):
        record = f"object {number}"
        name = _text(each, "name")
        texts = [_text(each, f"bndbox/{edge}") for edge in EDGES]
        numbers = [edge for text in texts if (edge := _number(text)) is not None]
        shown = f"{name or '?'}: {' '.join(text or '?' for text in texts)}"
        if not name:
            notes.append(Note(file, record, "object without a class name", shown))
        elif len(numbers) < len(EDGES):
            notes.append(Note(file, record, "object without four numbers for its box", shown))
        elif any(low > high != low - first for low, high in (numbers[::2], numbers[1::2])):
            notes.append(Note(file, record, "swapped corners: xmin > xmax or ymin > ymax", shown))
        elif _text(each, "difficult") == "1" and not options.difficult:
            notes.append(Note(file, record, "difficult object", shown))
        else:
            left, top, right, bottom = numbers
            if not options.from_zero:
                if min(left, top) < 1:
                    reason = "box from pixel 0, though VOC counts from 1 (see --from-zero)"
                    notes.append(Note(file, record, reason, shown, "kept"))
                # Pixels counted from 1, the last one included (VOC2007 development kit, documentation and
                # VOCevaldet.m); clamped, because some tools write edges counted from 0 under the same tags.
                left, top = max(left - 1, 0), max(top - 1, 0)
            boxes.append(SourceBox(record, name, (left, top, right, bottom), shown))
    width, height = (_number(_text(tree, f"size/{side}")) for side in ("width", "height"))
    return SourceImage(image, file, tuple(boxes), len(objects), declared=size_of(width, height))


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _splits(root: Path, images: Collection[str], notes: list[Note]) -> dict[str, Part | None]:
    """The split of each image: by the lists of a dataset that has some, else by the names of folders."""
    claims, homes = _claims(root, images, notes)
    return {
        image: split_of_claims(image, claims[image], notes) if homes & _folders_of(image) else split_of_folders(image)
        for image in sorted(images)
    }


def _claims(root: Path, images: Collection[str], notes: list[Note]) -> tuple[dict[str, dict[str, Part]], set[str]]:
    """What lists say: for an image, the split by list; and the folders of the datasets that lists are of.

    Such a folder is the nearest one above a list that has images. For an image, lists in `ImageSets/Main` count before
    those in `ImageSets`, and those before others.
    """
    below: dict[str, list[str]] = defaultdict(list)  # folder -> images in and below it
    for image in images:
        for folder in _folders_of(image):
            below[folder].append(image)
    ranked: dict[str, dict[int, dict[str, Part]]] = defaultdict(lambda: defaultdict(dict))
    homes = set[str]()
    for file in files_below(root, [".txt"]):
        named = LIST.fullmatch(PurePosixPath(file).stem)
        part, rank = split_called(named[1].lower()) if named else None, _rank(file)
        home = next((folder for folder in map(str, PurePosixPath(file).parents) if folder in below), None)
        if part is None or rank is None or home is None:
            continue
        by_stem: dict[str, list[str]] = defaultdict(list)
        for image in below[home]:
            by_stem[PurePosixPath(image).stem].append(image)
        found = {
            (number, line): _listed(line, by_stem)
            for number, line in read_lines(root / file, LISTING_MB, "list of images")
        }
        if not any(found.values()):
            notes.append(Note(file, "", "list of a split without an image of the source"))
            continue
        homes.add(home)
        for (number, line), listed in found.items():
            if not listed:
                notes.append(Note(file, f"line {number}", "listed image that is not there or was left out", line))
            for image in listed:
                ranked[image][rank][file] = part
    return defaultdict(dict, {image: said[min(said)] for image, said in ranked.items()}), homes


def _rank(file: str) -> int | None:
    """Place of a list among those of its dataset; None for VOC's lists for other tasks, as in ImageSets/Layout."""
    folders = [part.lower() for part in PurePosixPath(file).parts[:-1]]
    if folders[-1:] == ["main"]:
        return 0
    if folders[-1:] == ["imagesets"]:
        return 1
    return None if "imagesets" in folders else 2


def _listed(line: str, by_stem: Mapping[str, list[str]]) -> list[str]:
    """Images that a line names: VOC's names have no ending; others write one, folders, or a second column (1, -1)."""
    for text in (line, line.rsplit(maxsplit=1)[0], line.split()[0]):
        path = PureWindowsPath(text)  # takes both slashes
        for name in (path.name, path.stem):
            if found := by_stem.get(name):
                end = (*path.parts[:-1], name)
                return [image for image in found if _without_suffix(image).parts[-len(end) :] == end] or found
    return []


def _without_suffix(file: str) -> PurePosixPath:
    return PurePosixPath(file).with_suffix("")


def _folders_of(image: str) -> set[str]:
    return set(map(str, PurePosixPath(image).parents))
