"""A YOLO detection dataset as two tables of what is really there, faults and all. Reads, never writes."""

from __future__ import annotations

import codecs
import hashlib
import io
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
from PIL import ExifTags, Image, UnidentifiedImageError

from mobileyolo.artifacts import Split
from mobileyolo.dataset.layout import CLASSES_FILE, find_layout, label_of
from mobileyolo.errors import DatasetError

IMAGE_FORMATS = ("BMP", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
SMALLEST_SIDE = 10  # pixels; Ultralytics 8.4 leaves smaller images out
SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
BOX_COLUMNS = 5  # class x y w h


@dataclass(frozen=True)
class RawDataset:
    """A dataset as found.

    names: class names by id.
    splits: the splits that the dataset has.
    images: split, image, label (paths below the folder, with forward slashes), label_exists, width, height (pixels, as
        decoded and turned by EXIF; 0 where unreadable), bytes, sha256, read_error (text, missing where readable);
        in the order of splits and paths.
    boxes: image, label, line (1-based), text (of the line), parse_error (text, missing where parsed), class_id, x, y,
        w, h (xywhn; missing where not parsed), values (tuple of all numbers in the line, or missing); one row a
        non-blank line of an image's label file, in the order of images and lines, once even if two splits have the
        image.
    """

    names: tuple[str, ...]
    splits: tuple[Split, ...]
    images: pd.DataFrame
    boxes: pd.DataFrame


@dataclass(frozen=True)
class ImageFacts:
    """What one image file turned out to be."""

    width: int = 0  # pixels
    height: int = 0  # pixels
    bytes: int = 0
    sha256: str = ""
    read_error: str | None = None


@dataclass(frozen=True)
class LabelLine:
    """One line of a label file, parsed where it could be."""

    line: int  # 1-based
    text: str
    parse_error: str | None = None
    class_id: float = math.nan
    x: float = math.nan
    y: float = math.nan
    w: float = math.nan
    h: float = math.nan
    values: tuple[float, ...] | None = None


def read_dataset(root: Path) -> RawDataset:
    """Read all images and labels of the dataset in a folder; faults in them become rows, not errors.

    Raises:
        DatasetError: no dataset is found there; see `layout.find_layout`.
    """
    layout = find_layout(root)
    rows = [(split, image) for split, images in layout.images.items() for image in images]
    distinct = list(dict.fromkeys(image for _, image in rows))
    # Pillow's decoders and hashlib let go of the interpreter lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        facts = dict(zip(distinct, pool.map(lambda image: read_image(root / image), distinct), strict=True))
    labels = {image: _existing_label(root, image) for image in distinct}

    images = pd.DataFrame(
        [(split, image, label_of(image), bool(labels[image]), *vars(facts[image]).values()) for split, image in rows],
        columns=["split", "image", "label", "label_exists", *ImageFacts.__dataclass_fields__],
    )
    boxes = pd.DataFrame(
        [
            (image, label, *vars(line).values())
            for image, label in labels.items()
            if label
            for line in read_label(root / label)
        ],
        columns=["image", "label", *LabelLine.__dataclass_fields__],
    )
    return RawDataset(layout.names, tuple(layout.images), images, boxes)


def read_image(path: Path) -> ImageFacts:
    """Hash an image file and decode it fully, so that a truncated one is found here and not in training."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return ImageFacts(read_error=error.strerror or str(error))
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        width, height = _decoded_size(content)
        problem = None if min(width, height) >= SMALLEST_SIDE else f"only {width} x {height} pixels"
    # Where Ultralytics 8.4 is imported too, its Image.open asks for a HEIF plugin that nobody installed.
    except (UnidentifiedImageError, ModuleNotFoundError):
        width, height, problem = 0, 0, f"{len(content)} bytes that are no {', '.join(IMAGE_FORMATS)} image"
    except Exception as error:  # on broken files Pillow's decoders raise whatever they run into
        width, height, problem = 0, 0, f"{error}" or type(error).__name__
    return ImageFacts(width, height, len(content), sha256, problem)


def _decoded_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels as OpenCV, and so the trainer, sees the image: turned by its EXIF orientation."""
    with Image.open(io.BytesIO(content)) as image:
        if image.format not in IMAGE_FORMATS:
            raise UnidentifiedImageError
        image.verify()  # a PNG's checksums and end, which decoding passes over; the image is closed by it
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        width, height = image.size
        # Pillow turns TIFF itself when it decodes.
        sideways = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
    return (height, width) if sideways else (width, height)


def _existing_label(root: Path, image: str) -> str:
    """Path of an image's label file below the folder, "" where there is none."""
    label = label_of(image)
    # LabelImg puts the list of names among the labels.
    return label if PurePosixPath(label).name != CLASSES_FILE and (root / label).is_file() else ""


def read_label(path: Path) -> Iterator[LabelLine]:
    """Read the non-blank lines of a label file.

    Raises:
        DatasetError: the file can't be read at all.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from None
    for number, raw in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            text = raw.decode().strip()
            yield LabelLine(number, text, None, *parse_line(text))
        except UnicodeDecodeError:
            yield LabelLine(number, raw.decode(errors="backslashreplace").strip(), "not UTF-8")
        except ValueError as error:
            yield LabelLine(number, text, str(error))


def parse_line(text: str) -> tuple[float, float, float, float, float, tuple[float, ...]]:
    """Parse a label line into class_id, x, y, w, h (xywhn) and all its numbers.

    A line is `class x y w h`, or `class x1 y1 x2 y2 x3 y3 ...`: a polygon, which stands for the box round it.

    Raises:
        ValueError: it is neither; the message says why.
    """
    values = tuple(_number(column) for column in text.split())
    if not values[0].is_integer():
        raise ValueError(f"class {values[0]:g} is no whole number")
    if len(values) == BOX_COLUMNS:
        class_id, x, y, w, h = values
        return class_id, x, y, w, h, values
    if len(values) < BOX_COLUMNS or len(values) % 2 == 0:
        raise ValueError(f"{len(values)} columns; expected class x y w h, or a class and three or more points")
    xs, ys = values[1::2], values[2::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return values[0], (left + right) / 2, (top + bottom) / 2, right - left, bottom - top, values


def _number(column: str) -> float:
    try:
        number = float(column)
    except ValueError:
        raise ValueError(f"{column!r:.40} is no number") from None
    if not math.isfinite(number) or "_" in column:  # Python reads 1_0 as 10
        raise ValueError(f"{column!r:.40} is no number")
    return number
