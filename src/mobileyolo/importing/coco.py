"""Reads COCO's JSON: annotation files, and images anywhere below the same folder.

Python's json reads the files. pycocotools and supervision would stop at the first bad record, and would not
say what they leave out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from mobileyolo.core.errors import DatasetError
from mobileyolo.importing.filenames import NOT_EXACT, Files, Found, listed
from mobileyolo.importing.json_files import Key, field, flag, key_of, number, read_json, shown, text_of
from mobileyolo.importing.sources import (
    Edges,
    ForeignDataset,
    Note,
    Options,
    Part,
    SourceBox,
    SourceImage,
    files_below,
    images_below,
    size_of,
    split_called,
    split_of_claims,
    split_of_folders,
    unannotated,
)

ANNOTATIONS_MB = 4000  # COCO's own is 450 MB
SECTIONS = ("images", "annotations", "categories")
WHOLE = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0*)?\s*")
SHARED_ID = "id that several images have"
HIDDEN = ("id", "segmentation", "keypoints")  # in a record that a note shows


@dataclass(frozen=True)
class _File:
    """One annotation file, with its three lists."""

    name: str
    images: list[Any]
    annotations: list[Any]
    categories: list[Any]

    @property
    def split(self) -> Part | None:
        return split_called(PurePosixPath(self.name).stem) or split_of_folders(self.name)


@dataclass(frozen=True)
class _Record:
    """An image as an annotation file lists it, with the image files that it may mean."""

    key: Key
    where: str
    name: str
    found: Found
    declared: tuple[int, int] | None


def read(root: Path, options: Options) -> ForeignDataset:
    """Read the annotation files below a folder: those called `instances_*.json`, or else all in COCO's format.

    Raises:
        DatasetError: there is none, or one is not JSON.
    """
    notes: list[Note] = []
    files = _files(root, notes)
    listing = images_below(root)
    index = Files(root, listing)
    records = [_records(file, index, notes) for file in files]
    # Images that a file lists, even if they are left out: they are not background.
    annotated = {path for own in records for record in own for path in record.found.files}
    guesses = _guesses(record for own in records for record in own)
    found: dict[str, SourceImage] = {}
    claims: dict[str, dict[str, Part]] = defaultdict(dict)  # image -> annotation file -> split
    names: dict[str, None] = {}
    for file, own in zip(files, records, strict=True):
        if len(files) > 1 and file.split is None:
            notes.append(Note(file.name, "", "annotation file whose name says no split", outcome="kept"))
        categories = _categories(file, notes)
        names.update(dict.fromkeys(categories.values()))
        for image in _images(file, categories, _owners(file, own, guesses, notes), own, notes):
            if file.split:
                claims[image.file][file.name] = file.split
            first = found.setdefault(image.file, image)
            if _boxes(image) != _boxes(first) or image.declared != first.declared:
                value = f"{image.file}: {first.labels}"
                notes.append(Note(file.name, "", "image that an earlier file has with other boxes", value))
    found.update((image.file, image) for image in unannotated(listing, found, annotated, options, notes))
    images = [
        replace(image, split=split_of_claims(path, claims[path], notes) or split_of_folders(path))
        for path, image in sorted(found.items())
    ]
    return ForeignDataset(options.names or tuple(names), tuple(images), tuple(notes))


def _boxes(image: SourceImage) -> list[tuple[str, Edges]]:
    return sorted((box.name, box.edges) for box in image.boxes)


def _files(root: Path, notes: list[Note]) -> list[_File]:
    candidates = files_below(root, [".json"])
    # COCO's own archive also holds captions and keypoints of the same images.
    candidates = [file for file in candidates if PurePosixPath(file).name.startswith("instances_")] or candidates
    files, labelme = [], 0
    for name in candidates:
        data = read_json(root / name, ANNOTATIONS_MB, "COCO")
        if isinstance(data, dict) and all(isinstance(data.get(section), list) for section in SECTIONS):
            files.append(_File(name, *(data[section] for section in SECTIONS)))
        else:
            labelme += isinstance(field(data, "shapes"), list)
            notes.append(Note(name, "", f"JSON without the lists {', '.join(SECTIONS)}"))
    if not files:
        advice = "name the folder that holds both annotations and images"
        if labelme:
            advice = f"{labelme:,} of them are labelme's, which `mobileyolo import labelme` reads"
        raise DatasetError(
            f"{root}: no COCO annotations: looked for .json files with the lists {', '.join(SECTIONS)}, found "
            f"{listed(candidates) or 'no .json file'}; {advice}"
        )
    return files


def _categories(file: _File, notes: list[Note]) -> dict[Key, str]:
    """Name of each category, in the order of ids, which may have gaps. As in pycocotools, the last one of an id counts.

    Those of one name become one class, because YOLO's classes are told apart by name.
    """
    names: dict[Key, str] = {}
    known = set[str]()
    for order, record in enumerate(file.categories):
        where, key, name = f"categories[{order}]", key_of(record, "id"), text_of(record, "name")
        if key is None or not name:
            notes.append(Note(file.name, where, "category without id or name", shown(record, *HIDDEN)))
            continue
        if names.get(key, name) != name:
            value = f"{key}: {name}, and before {names[key]}"
            notes.append(Note(file.name, where, "second category of that id, which counts", value, "changed"))
        elif name in known:
            notes.append(Note(file.name, where, "second category of that name; both are one class", name, "changed"))
        names[key] = name
        known.add(name)
    used = {key_of(record, "category_id") for record in file.annotations}
    groups = {text_of(record, "supercategory") for record in file.categories}
    for key, name in names.items():
        if name in groups and key not in used:
            reason = "category without boxes that other categories belong to; --names without it leaves it out"
            notes.append(Note(file.name, f"category {key}", reason, name, "kept"))
    return dict(sorted(names.items(), key=lambda item: _order(item[0])))


def _order(key: Key) -> tuple[bool, float, str]:
    """Sorts ids: numbers first, also those written as text."""
    value = number(key)
    return value is None, value or 0, str(key)


def _records(file: _File, index: Files, notes: list[Note]) -> list[_Record]:
    folder = str(PurePosixPath(file.name).parent)
    records = []
    for order, record in enumerate(file.images):
        key = key_of(record, "id")
        name = field(record, "file_name")
        if name is None:
            name = field(record, "coco_url")  # all that LVIS has
        where = f"images[{order}]" if key is None else f"image {key}"
        if key is None or not isinstance(name, str):
            notes.append(Note(file.name, where, "image without id or file_name", shown(record, *HIDDEN)))
            continue
        width, height = (number(record.get(side)) for side in ("width", "height"))
        records.append(_Record(key, where, name, _meant(file, index.meant(name, folder)), size_of(width, height)))
    return records


def _meant(file: _File, found: Found) -> Found:
    """What a file name means in this annotation file: instances_train2017.json means the one in train2017/."""
    if len(found.files) < 2:
        return found
    words = set(PurePosixPath(file.name).stem.split("_"))
    meant = [image for image in found.files if words & set(PurePosixPath(image).parts[:-1])]
    meant = meant or [image for image in found.files if file.split and split_of_folders(image) == file.split]
    return Found(tuple(meant), found.exact) if meant else found


class _Ids:
    """Ids of a list's records, found by what other records call them: by the same value, or else by the same number.

    pycocotools tells 5 and "5" apart and faster-coco-eval does not; where there is only one of them, it is meant.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = set(keys)
        self._by_number: dict[Key, list[Key]] = defaultdict(list)
        for key in self._keys:
            self._by_number[_spelled(key)].append(key)
        self.other_type = 0  # ids that were found only by their number

    def find(self, key: Key | None) -> Key | None:
        """The id that is meant; None if there is none, or more than one."""
        if key is None or key in self._keys:
            return key
        alike = self._by_number.get(_spelled(key), ())
        if len(alike) != 1:
            return None
        self.other_type += 1
        return alike[0]


def _spelled(key: Key) -> Key:
    """The whole number that a text spells."""
    if isinstance(key, str) and (digits := WHOLE.fullmatch(key)):
        return int(digits[1])
    return key


def _images(
    file: _File, categories: Mapping[Key, str], owners: Mapping[Key, _Record], records: list[_Record], notes: list[Note]
) -> list[SourceImage]:
    """The images that an annotation file lists, with their boxes."""
    found = {
        path: SourceImage(path, file.name, (), 0, declared=record.declared)
        for record in owners.values()
        for path in record.found.files
    }
    boxes: dict[str, list[SourceBox]] = {path: [] for path in found}
    objects = dict.fromkeys(found, 0)
    images, classes, seen = _Ids(record.key for record in records), _Ids(categories), set[Key]()
    for order, record in enumerate(file.annotations):
        key, image = key_of(record, "id"), images.find(key_of(record, "image_id"))
        where = f"annotations[{order}]" if key is None else f"annotation {key}"
        if image is None:
            notes.append(Note(file.name, where, "annotation without image", shown(record, *HIDDEN)))
            continue
        if key in seen:
            notes.append(Note(file.name, where, "second annotation of that id", shown(record, *HIDDEN), "kept"))
        seen.update([] if key is None else [key])
        if image not in owners:
            continue
        (path,) = owners[image].found.files
        objects[path] += 1
        box = _box(record, where, categories, classes)
        if isinstance(box, str):
            notes.append(Note(file.name, where, box, shown(record, *HIDDEN)))
        else:
            boxes[path].append(box)
    for name, ids in (("image_id", images), ("category_id", classes)):
        if ids.other_type:
            reason = f"{name} as text for a number, or the other way round; taken by its number"
            notes.append(Note(file.name, "", reason, f"{ids.other_type:,} annotations", "kept"))
    return [replace(image, boxes=tuple(boxes[path]), objects=objects[path]) for path, image in found.items()]


def _guesses(records: Iterable[_Record]) -> frozenset[str]:
    """The image files that stand for one path which is not here, and which no path leads to."""
    exact, names = set[str](), defaultdict[str, set[str]](set)
    for record in records:
        for path in record.found.files:
            if record.found.exact:
                exact.add(path)
            else:
                names[path].add(record.name)
    return frozenset(path for path, written in names.items() if path not in exact and len(written) == 1)


def _owners(file: _File, records: list[_Record], guesses: frozenset[str], notes: list[Note]) -> dict[Key, _Record]:
    """The record of each id, if it means one image file, and no other image has that id."""
    owners: dict[Key, _Record] = {}
    for path, claims in _claims(file, records, notes).items():
        first: _Record | None = None
        for record in claims:
            value = f"{record.name}: {path}"
            if not record.found.exact:
                if path not in guesses:
                    reason = "path that is not here, with the name of a file that other images have or may have"
                    notes.append(Note(file.name, record.where, reason, value))
                    continue
                notes.append(Note(file.name, record.where, NOT_EXACT, value, "kept"))
            if first and record.declared != first.declared:
                reason = "image listed under several ids, with another size than before"
                notes.append(Note(file.name, record.where, reason, value))
                continue
            if first:
                # Ultralytics' converter (convert_coco) joins them too: it appends to one label file.
                reason = "image listed under several ids, whose boxes are joined"
                notes.append(Note(file.name, record.where, reason, value, "changed"))
            owners[record.key] = record
            first = first or record
    return owners


def _claims(file: _File, records: list[_Record], notes: list[Note]) -> dict[str, list[_Record]]:
    """The records that mean each image file, without those that mean several or share their id."""
    by_key: dict[Key, list[_Record]] = defaultdict(list)
    claims: dict[str, list[_Record]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(record)
    for first, *others in by_key.values():
        if any((each.found.files or each.name) != (first.found.files or first.name) for each in others):
            notes.extend(Note(file.name, each.where, SHARED_ID, each.name) for each in (first, *others))
            continue
        notes.extend(Note(file.name, each.where, "image listed twice", each.name) for each in others)
        if len(first.found.files) == 1:
            claims[first.found.files[0]].append(first)
        else:
            reason = "several image files of that name" if first.found.files else "image without file"
            notes.append(Note(file.name, first.where, reason, listed(first.found.files) or first.name))
    return claims


def _box(record: Any, where: str, categories: Mapping[Key, str], classes: _Ids) -> SourceBox | str:
    """An annotation's box, or the reason why it is left out. Masks and polygons are not looked at."""
    crowd, ignored = flag(field(record, "iscrowd")), flag(field(record, "ignore"))
    if crowd is None or ignored is None:
        return "iscrowd or ignore that is neither 0 nor 1"
    if crowd:
        return "crowd: one box round several objects"
    if ignored:
        return "annotation marked to be ignored"
    category = classes.find(key_of(record, "category_id"))
    if category is None or category not in categories:
        return "unknown category"
    bbox = field(record, "bbox")
    numbers = [number(value) for value in bbox] if isinstance(bbox, list) else []
    if len(numbers) != 4 or None in numbers:
        return "annotation without a bbox of four numbers"
    # Upper left corner in pixels from 0, width and height (COCO, data format).
    x, y, w, h = (each for each in numbers if each is not None)
    return SourceBox(where, categories[category], (x, y, x + w, y + h), shown(record, *HIDDEN))
