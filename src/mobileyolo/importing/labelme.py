"""Reads labelme's JSON: one file for each image, beside it or elsewhere. Rectangles only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from mobileyolo.core.errors import DatasetError
from mobileyolo.importing.filenames import NOT_EXACT, Files, Found, listed
from mobileyolo.importing.json_files import field, number, read_json, shown, text_of
from mobileyolo.importing.sources import (
    ForeignDataset,
    Note,
    Options,
    SourceBox,
    SourceImage,
    files_below,
    images_below,
    size_of,
    split_of_folders,
    unannotated,
)

LABELME_MB = 256  # labelme writes the image into the file, too
# Of labelme 5; a reason names no other, because there can be as many as shapes.
OTHER_SHAPES = frozenset({"circle", "line", "linestrip", "mask", "point", "points", "polygon", "rotation"})
OLD_SHAPE = "polygon"  # of files without a shape_type, as labelme reads them
HIDDEN = ("mask", "flags", "group_id", "description")


def read(root: Path, options: Options) -> ForeignDataset:
    """Read the JSON files below a folder.

    Raises:
        DatasetError: none of them is labelme's.
    """
    notes: list[Note] = []
    candidates = files_below(root, [".json"])
    listing = images_below(root)
    index = Files(root, listing)
    found: dict[str, SourceImage] = {}
    annotated: set[str] = set()  # images with an annotation, even a bad one: they are not background
    coco = labelme = unread = 0
    first = ""
    for file in candidates:
        try:
            record = read_json(root / file, LABELME_MB, "labelme's")
        except DatasetError as error:
            annotated.update(_meant(file, "", index).files)
            unread += 1
            first = first or str(error)
            reason = str(error).removeprefix(f"{root / file}:").strip()
            notes.append(Note(file, "", "not readable as JSON", reason))
            continue
        if not isinstance(field(record, "shapes"), list):
            coco += isinstance(field(record, "annotations"), list)
            notes.append(Note(file, "", "JSON without labelme's list shapes"))
            continue
        labelme += 1
        named = text_of(record, "imagePath")
        meant = _meant(file, named, index)
        annotated.update(meant.files)
        if len(meant.files) != 1:
            reason = "several images of that name" if meant.files else "annotation without image"
            notes.append(Note(file, "", reason, listed(meant.files) or named))
        elif meant.files[0] in found:
            value = f"{meant.files[0]}: {found[meant.files[0]].labels}"
            notes.append(Note(file, "", "second annotation of an image", value))
        else:
            if not meant.exact:
                notes.append(Note(file, "", NOT_EXACT, f"{named or file}: {meant.files[0]}", "kept"))
            found[meant.files[0]] = _image(record, meant.files[0], file, notes)
    if not labelme:
        advice = "name the folder that holds both annotations and images"
        if coco:
            advice = f"{coco:,} of them look like COCO's, which `mobileyolo import coco` reads"
        elif unread:
            advice = f"{unread:,} of them can't be read: {first}"
        raise DatasetError(
            f"{root}: no labelme annotations: looked for .json files with the list shapes, found "
            f"{listed(candidates) or 'no .json file'}; {advice}"
        )
    found.update((image.file, image) for image in unannotated(listing, found, annotated, options, notes))
    images = tuple(replace(found[file], split=split_of_folders(file)) for file in sorted(found))
    names = options.names or tuple(sorted({box.name for image in images for box in image.boxes}))
    return ForeignDataset(names, images, tuple(notes), unread)


def _meant(file: str, named: str, index: Files) -> Found:
    """The image of a file: where its imagePath leads, as in labelme; or else beside it; or else by that path's name."""
    path = PurePosixPath(file)
    by_path = index.meant(named or path.stem, str(path.parent))
    if by_path.exact and len(by_path.files) == 1:
        return by_path
    beside = index.beside(file)
    return Found(beside, exact=True) if beside else by_path


def _image(record: dict[str, Any], image: str, file: str, notes: list[Note]) -> SourceImage:
    boxes = []
    for order, shape in enumerate(record["shapes"], start=1):
        where, text, name = f"shape {order}", shown(shape, *HIDDEN), text_of(shape, "label")
        kind = text_of(shape, "shape_type") or OLD_SHAPE
        edges = _edges(field(shape, "points"))
        if kind != "rectangle":
            reason = f"{kind}, not a rectangle" if kind in OTHER_SHAPES else "shape of unknown type"
            notes.append(Note(file, where, reason, text))
        elif not name:
            notes.append(Note(file, where, "shape without a label", text))
        elif edges is None:
            notes.append(Note(file, where, "rectangle without two corners", text))
        else:
            boxes.append(SourceBox(where, name, edges, text))
    width, height = (number(record.get(side)) for side in ("imageWidth", "imageHeight"))
    return SourceImage(image, file, tuple(boxes), len(record["shapes"]), declared=size_of(width, height))


def _edges(points: Any) -> tuple[float, float, float, float] | None:
    """Edges in pixels from 0 of two opposite corners in any order, as somebody drew them, or of all four."""
    if not isinstance(points, list) or len(points) not in {2, 4}:
        return None
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        return None
    xs, ys = ([number(point[axis]) for point in points] for axis in (0, 1))
    across = [x for x in xs if x is not None]
    down = [y for y in ys if y is not None]
    if len(across) + len(down) < 2 * len(points):
        return None
    return min(across), min(down), max(across), max(down)
