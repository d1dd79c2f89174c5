"""A YOLO detection dataset as two tables of what is really there, faults and all. Reads, never writes."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
from PIL import ExifTags, Image, UnidentifiedImageError

from mobileyolo.artifacts import Split
from mobileyolo.dataset.labels import LabelLine, read_label
from mobileyolo.dataset.layout import CLASSES_FILE, find_layout, label_of

IMAGE_FORMATS = ("BMP", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
SMALLEST_SIDE = 10  # pixels; Ultralytics 8.4 leaves smaller images out
SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class RawDataset:
    """A dataset as found.

    names: class names by id.
    splits: the splits that the dataset has.
    images: split, image, label (paths below the folder, with forward slashes), label_exists, width, height (pixels, as
        decoded and turned by EXIF; 0 where unreadable), bytes, sha256, read_error (text, missing where readable);
        in the order of splits and paths.
    boxes: image, label, the fields of LabelLine, and values (its key; missing where not parsed); one row a non-blank
        line of an image's label file, in the order of images and lines, once even if two splits have the image.
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
        [(image, label, *line) for image, label in labels.items() if label for line in read_label(root / label)],
        columns=["image", "label", *LabelLine._fields],
    )
    boxes["values"] = boxes["key"].astype("Int64").where(boxes["parse_error"].isna())
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
