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

ROUNDING = 1.0  # pixels; a box that reaches no farther beyond its image is clipped without a note
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
        orientation = _turn(root, image, found, notes)
        if orientation != 1:
            boxes = (
                replace(box, edges=_turned(box.edges, orientation, found.width, found.height)) for box in image.boxes
            )
            image = replace(image, boxes=tuple(boxes))
        elif image.declared not in (None, (found.width, found.height)):
            claim = f"{image.file}: {_size(image.declared)}, but {found.width} x {found.height}"
            notes.append(Note(image.labels, "", "declared size that the image does not have", claim, "kept"))
        checked = _checked(image, found, ids, notes)
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


def _turn(root: Path, image: SourceImage, facts: ImageFacts, notes: list[Note]) -> int:
    """EXIF orientation by which the boxes still have to be rotated to fit the image; 1 if they fit.

    Some tools ignore EXIF. This shows only in the size that they wrote down, and only if width and height are swapped.
    """
    if image.unit == "sides" or not image.boxes:
        return 1
    with Image.open(root / image.file) as opened:  # Pillow rotates TIFF itself
        orientation = 1 if opened.format == "TIFF" else opened.getexif().get(ExifTags.Base.Orientation, 1)
    size, swapped = (facts.width, facts.height), (facts.height, facts.width)
    if orientation in SIDEWAYS and image.declared == swapped != size:
        reason = "boxes of the image before its EXIF rotation, rotated with it"
        notes.append(Note(image.labels, "", reason, f"{image.file}: {_size(image.declared)}", "changed"))
        return int(orientation)
    if orientation in TURNED and not (orientation in SIDEWAYS and image.declared == size != swapped):
        reason = "image that EXIF rotates; its boxes are taken as those of the rotated image"
        notes.append(Note(image.labels, "", reason, image.file, "kept"))
    return 1


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


def _checked(image: SourceImage, facts: ImageFacts, ids: dict[str, int], notes: list[Note]) -> CheckedImage:
    width, height = (facts.width, facts.height) if image.unit == "pixels" else (1, 1)
    slack = (ROUNDING * width / facts.width, ROUNDING * height / facts.height)
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
