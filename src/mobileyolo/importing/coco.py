"""Reads COCO's JSON: annotation files, and images anywhere below the same folder.

Python's json reads the files. pycocotools and supervision would stop at the first bad record, and would not
say what they leave out.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import psutil

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.text import read_text
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
)

ANNOTATIONS_MB = 4000  # COCO's own is 450 MB
_BYTES_A_VALUE = 60  # of memory, beside the text; Python 3.11 took 30 to 50 (boxes, polygons, empty objects)
SECTIONS = ("images", "annotations", "categories")


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


def read(root: Path, options: Options) -> ForeignDataset:
    """Read the annotation files below a folder: those called `instances_*.json`, or else all in COCO's format.

    Raises:
        DatasetError: there is none, or one is not JSON.
    """
    notes: list[Note] = []
    files = _files(root, notes)
    index: dict[str, list[str]] = defaultdict(list)
    for path in images_below(root):
        index[PurePosixPath(path).name].append(path)
    found: dict[str, SourceImage] = {}
    claims: dict[str, dict[str, Part]] = defaultdict(dict)  # image -> annotation file -> split
    names: dict[str, None] = {}
    for file in files:
        if len(files) > 1 and file.split is None:
            notes.append(Note(file.name, "", "annotation file whose name says no split", outcome="kept"))
        categories = _categories(file, notes)
        names.update(dict.fromkeys(categories.values()))
        for image in _images(file, categories, index, notes):
            if file.split:
                claims[image.file][file.name] = file.split
            first = found.setdefault(image.file, image)
            if _boxes(image) != _boxes(first) or image.declared != first.declared:
                value = f"{image.file}: {first.labels}"
                notes.append(Note(file.name, "", "image that an earlier file has with other boxes", value))
    images = [
        replace(image, split=split_of_claims(path, claims[path], notes) or split_of_folders(path))
        for path, image in sorted(found.items())
    ]
    listed = {path for each in index.values() for path in each}
    notes.extend(Note(path, "", "image without annotation") for path in sorted(listed - set(found)))
    return ForeignDataset(options.names or tuple(names), tuple(images), tuple(notes))


def _boxes(image: SourceImage) -> list[tuple[str, Edges]]:
    return sorted((box.name, box.edges) for box in image.boxes)


def _files(root: Path, notes: list[Note]) -> list[_File]:
    candidates = files_below(root, [".json"])
    # COCO's own archive also holds captions and keypoints of the same images.
    candidates = [file for file in candidates if PurePosixPath(file).name.startswith("instances_")] or candidates
    files = []
    for name in candidates:
        try:
            text = read_text(root / name, ANNOTATIONS_MB, "annotation file")
            _check_memory(root / name, text)
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{root / name}:{error.lineno}: not JSON: {error.msg}") from None
        except (RecursionError, ValueError) as error:  # nested too deeply, or a number with thousands of digits
            raise DatasetError(f"{root / name}: not COCO: {error}") from None
        if isinstance(data, dict) and all(isinstance(data.get(section), list) for section in SECTIONS):
            files.append(_File(name, *(data[section] for section in SECTIONS)))
        else:
            notes.append(Note(name, "", f"JSON without the lists {', '.join(SECTIONS)}"))
    if not files:
        raise DatasetError(
            f"{root}: no COCO annotations: looked for .json files with the lists {', '.join(SECTIONS)}, found "
            f"{', '.join(candidates) or 'no .json file'}; name the folder that holds both annotations and images"
        )
    return files


def _check_memory(path: Path, text: str) -> None:
    """Refuse a file before Python makes objects of it that the machine has no room for.

    Raises:
        DatasetError: it has too many values.
    """
    needed = len(text) + _BYTES_A_VALUE * sum(text.count(mark) for mark in ",[{")
    free = psutil.virtual_memory().available
    if needed > free:
        raise DatasetError(
            f"{path}: reading it takes about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
            "divide it into several files, each with its own images"
        )


def _categories(file: _File, notes: list[Note]) -> dict[int | str, str]:
    """Name of each category, in the order of ids, which may have gaps."""
    names: dict[int | str, str] = {}
    for number, record in enumerate(file.categories):
        key, name = _key(record, "id"), record.get("name") if isinstance(record, dict) else None
        if key is None or not isinstance(name, str) or not name.strip():
            notes.append(Note(file.name, f"categories[{number}]", "category without id or name", _shown(record)))
        elif names.setdefault(key, name.strip()) != name.strip():
            notes.append(Note(file.name, f"categories[{number}]", "second category of that id", _shown(record)))
    return dict(sorted(names.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _images(
    file: _File, categories: dict[int | str, str], index: dict[str, list[str]], notes: list[Note]
) -> list[SourceImage]:
    files: dict[int | str, tuple[str, tuple[int, int] | None]] = {}
    known: set[int | str] = set()
    for number, record in enumerate(file.images):
        key, name = _key(record, "id"), record.get("file_name") if isinstance(record, dict) else None
        where = f"images[{number}]" if key is None else f"image {key}"
        if key is None or not isinstance(name, str):
            notes.append(Note(file.name, where, "image without id or file_name", _shown(record)))
            continue
        if key in known:
            notes.append(Note(file.name, where, "second image of that id", name))
            continue
        known.add(key)
        matches = _matches(file, name, index)
        if len(matches) == 1:
            width, height = (_number(record.get(side)) for side in ("width", "height"))
            files[key] = matches[0], size_of(width, height)
        else:
            reason = "several image files of that name" if matches else "image without file"
            notes.append(Note(file.name, where, reason, " and ".join(matches) or name))
    boxes: dict[int | str, list[SourceBox]] = defaultdict(list)
    objects: dict[int | str, int] = defaultdict(int)
    for number, record in enumerate(file.annotations):
        key, image = _key(record, "id"), _key(record, "image_id")
        where = f"annotations[{number}]" if key is None else f"annotation {key}"
        if image not in known or image is None:
            notes.append(Note(file.name, where, "annotation without image", _shown(record)))
            continue
        objects[image] += 1
        box = _box(record, where, categories)
        if isinstance(box, str):
            notes.append(Note(file.name, where, box, _shown(record)))
        else:
            boxes[image].append(box)
    return [
        SourceImage(path, file.name, tuple(boxes[key]), objects[key], declared=declared)
        for key, (path, declared) in files.items()
    ]


def _matches(file: _File, name: str, index: dict[str, list[str]]) -> list[str]:
    """Files that an image's `file_name` may mean: it is only the end of the path, and folders may have any name."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts:
        return []
    found = [image for image in index.get(parts[-1], []) if PurePosixPath(image).parts[-len(parts) :] == parts]
    beside = str(PurePosixPath(file.name).parent.joinpath(*parts))
    if beside in found:
        return [beside]
    if len(found) > 1:  # instances_train2017.json means the one in train2017/
        words = set(PurePosixPath(file.name).stem.split("_"))
        meant = [image for image in found if words & set(PurePosixPath(image).parts[:-1])]
        meant = meant or [image for image in found if file.split and split_of_folders(image) == file.split]
        found = meant or found
    return found


def _box(record: dict[str, Any], where: str, categories: dict[int | str, str]) -> SourceBox | str:
    """An annotation's box, or the reason why it is left out. Masks and polygons are not looked at."""
    if record.get("iscrowd"):
        return "crowd: one box round several objects"
    if record.get("ignore"):
        return "annotation marked to be ignored"
    category = _key(record, "category_id")
    if category is None or category not in categories:
        return "unknown category"
    bbox = record.get("bbox")
    numbers = [_number(value) for value in bbox] if isinstance(bbox, list) else []
    if len(numbers) != 4 or None in numbers:
        return "annotation without a bbox of four numbers"
    # Upper left corner in pixels from 0, width and height (COCO, data format).
    x, y, w, h = (number for number in numbers if number is not None)
    return SourceBox(where, categories[category], (x, y, x + w, y + h), _shown(record))


def _key(record: Any, field: str) -> int | str | None:
    """An id: a number, or a text as some tools write it."""
    value = record.get(field) if isinstance(record, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer that is too large for a float
        return None
    return number if math.isfinite(number) else None


def _shown(record: Any) -> str:
    """A record as short text, without its mask."""
    if isinstance(record, dict):
        record = {key: value for key, value in record.items() if key not in {"id", "segmentation", "keypoints"}}
    return json.dumps(record, ensure_ascii=False)[:120]
