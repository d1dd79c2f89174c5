"""Images of a foreign dataset -> YOLO label lines; unreadable images and impossible boxes are left out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ExifTags, Image
from tqdm import tqdm

from mobileyolo.core import environment
from mobileyolo.dataset.images import SIDEWAYS, ImageFacts, read_image
from mobileyolo.importing.sources import Edges, ForeignDataset, Note, Outcome, SourceBox, SourceImage

ROUNDING = 1.0  # pixels; a box that reaches no farther beyond the image that it was drawn on is clipped without a note
TURNED = range(2, 9)  # EXIF orientations other than upright
NO_SIZE = "0.000000"  # a width or height in a label line


@dataclass(frozen=True)
class CheckedImage:
    """An image that can be used, and its boxes: a class id and a label line `class x y w h` (xywhn) for each."""

    source: SourceImage
    facts: ImageFacts
    classes: tuple[int, ...]
    lines: tuple[str, ...]


def check_images(root: Path, source: ForeignDataset) -> tuple[list[CheckedImage], list[Note]]:
    """Read every image, and turn its boxes into label lines.

    An image whose boxes are all unusable is left out, because it would count as background.
    """
    ids = {name: class_id for class_id, name in enumerate(source.names)}
    files = [root / image.file for image in source.images]
    # Pillow's decoders and hashlib release the GIL.
    with ThreadPoolExecutor(environment.threads()) as pool:
        # No progress bar if standard error is not a terminal.
        facts = list(tqdm(pool.map(read_image, files), "Reading", len(files), unit=" images", disable=None))
    images, notes = [], []
    for image, found in zip(source.images, facts, strict=True):
        fault = _fault(image, found)
        if fault:
            notes.append(fault)
            continue
        fitted = _fitted(root, image, found, notes)
        if fitted is None:
            continue
        checked = _checked(*fitted, found, ids, notes)
        if image.objects > len(checked.lines) and not checked.lines and not _all_left_out(image, ids):
            notes.append(Note(image.file, "", "image whose boxes are all left out"))
        else:
            images.append(checked)
    return images, notes


def _fault(image: SourceImage, facts: ImageFacts) -> Note | None:
    """Why an image can't be used; None if it can."""
    try:
        image.file.encode()
    except UnicodeEncodeError:
        return Note(image.file, "", "file name that is not UTF-8")
    if facts.read_error:
        return Note(image.file, "", "unreadable image", facts.read_error)
    return None


def _fitted(
    root: Path, image: SourceImage, facts: ImageFacts, notes: list[Note]
) -> tuple[SourceImage, tuple[int, int]] | None:
    """The image, and the width and height in which its boxes count; None, with a note, if they can't be of it.

    An annotation's size is that of the image that its boxes were drawn on. If that is the size before a rotation by
    EXIF, which some tools ignore, the boxes are rotated. If it has the image's shape, the image was resized since, and
    the boxes' shares of the one are their shares of the other, as in Ultralytics' convert_coco.
    """
    size, swapped = (facts.width, facts.height), (facts.height, facts.width)
    if image.unit == "sides" or not image.boxes:
        return image, (1, 1) if image.unit == "sides" else size
    with Image.open(root / image.file) as opened:  # Pillow rotates TIFF itself
        orientation = 1 if opened.format == "TIFF" else opened.getexif().get(ExifTags.Base.Orientation, 1)
    declared, claim = image.declared, f"{image.file}: {_size(image.declared)}, but {_size(size)}"
    if orientation in SIDEWAYS and declared == swapped != size:
        reason = "boxes of the image before its EXIF rotation, rotated with it"
        notes.append(Note(image.labels, "", reason, claim, "changed"))
        boxes = (replace(box, edges=_turned(box.edges, orientation, *size)) for box in image.boxes)
        return replace(image, boxes=tuple(boxes)), size
    if declared and not _same_shape(declared, size):
        reason = "boxes of an image of another shape: it was cropped, stretched or turned since"
        notes.append(Note(image.labels, "", reason, claim))
        return None
    told = orientation in SIDEWAYS and declared and not _same_shape(declared, swapped)
    if orientation in TURNED and not told:
        reason = "image that EXIF rotates; its boxes are taken as those of the rotated image"
        notes.append(Note(image.labels, "", reason, image.file, "kept"))
    elif not declared:
        reason = "annotation without its image's size; its boxes are taken in the image's pixels"
        notes.append(Note(image.labels, "", reason, f"{image.file}: {_size(size)}", "kept"))
    if declared and declared != size:
        notes.append(Note(image.labels, "", "image resized since its annotation; boxes with it", claim, "changed"))
    return image, declared or size


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Can one size be the other, resized? The sides of the smaller one may each be rounded up or down."""
    (width, height), (long, high) = sorted([one, other])
    return max((width - 1) / long, (height - 1) / high) <= min((width + 1) / long, (height + 1) / high)


def _turned(edges: Edges, orientation: int, width: float, height: float) -> Edges:
    """Edges after EXIF has rotated the image by 90 degrees to a width and height; orientations 5 to 8 of EXIF."""
    top, left, bottom, right = edges
    if orientation in {6, 7}:
        left, right = width - right, width - left
    if orientation in {7, 8}:
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def _size(size: tuple[int, int] | None) -> str:
    return " x ".join(map(str, size or ()))


def _all_left_out(image: SourceImage, ids: dict[str, int]) -> bool:
    """Are all objects of classes that --names leaves out? Then the image is background for the other classes."""
    return len(image.boxes) == image.objects and not any(box.name in ids for box in image.boxes)


def _checked(
    image: SourceImage, frame: tuple[int, int], facts: ImageFacts, ids: dict[str, int], notes: list[Note]
) -> CheckedImage:
    width, height = frame
    slack = (ROUNDING, ROUNDING) if image.unit == "pixels" else (ROUNDING / facts.width, ROUNDING / facts.height)
    lines: dict[str, int] = {}  # line -> class id
    for box in image.boxes:
        clipped = _clipped(box, width, height)
        line = _line(ids.get(box.name), clipped, width, height)
        outcome: Outcome = "left out"
        if box.name not in ids:
            reason = "class that --names leaves out"
        elif box.edges[2] <= box.edges[0] or box.edges[3] <= box.edges[1]:
            reason = "box without width or height"
        elif clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
            reason = "box outside its image"
        elif NO_SIZE in line.split()[3:]:
            reason = "box without width or height"
        elif line in lines:
            reason = "same box twice"
        else:
            lines[line] = ids[box.name]
            moves = [abs(new - old) for new, old in zip(clipped, box.edges, strict=True)]
            if max(moves[0], moves[2]) <= slack[0] and max(moves[1], moves[3]) <= slack[1]:
                continue
            reason, outcome = "box that reaches beyond its image, clipped", "changed"
        value = f"{box.shown}; {image.file}, {facts.width} x {facts.height}"
        notes.append(Note(image.labels, box.record, reason, value, outcome))
    return CheckedImage(image, facts, tuple(lines.values()), tuple(lines))


def _clipped(box: SourceBox, width: float, height: float) -> Edges:
    left, top, right, bottom = box.edges
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _line(class_id: int | None, edges: Edges, width: float, height: float) -> str:
    left, top, right, bottom = edges
    x, y, w, h = (
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    )
    return f"{class_id} {x:.6f} {y:.6f} {w:.6f} {h:.6f}"
