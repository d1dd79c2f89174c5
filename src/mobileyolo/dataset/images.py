"""One image file: whether it decodes to its last pixel, what it shows in a few numbers. Reads, never writes.

JPEGs are decoded at a fraction of their size, which still runs through every byte of the compressed data.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
from cleanvision.issue_managers.image_property import calc_avg_brightness, calc_entropy, get_edges
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mobileyolo.dataset.layout import UNSUPPORTED_SUFFIXES

FORMATS = ("BMP", "JPEG", "MPO", "PNG", "TIFF", "WEBP")  # as Pillow names them
SUFFIXES = {".bmp": "BMP", ".jpeg": "JPEG", ".jpg": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".webp": "WEBP"}
SUFFIXES |= {".tif": "TIFF", ".tiff": "TIFF"}
SMALLEST_SIDE = 10  # pixels; Ultralytics 8.4 leaves smaller images out
LARGEST_AREA = 89_478_485  # pixels; where Pillow begins to warn of a decompression bomb: a quarter GB decoded
SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
THUMBNAIL_SIDE = 64  # pixels; cleanvision judges blur at this size


@dataclass(frozen=True)
class ImageFacts:
    """What one image file turned out to be; all but bytes and sha256 are of a readable image only.

    width, height: pixels, turned by EXIF.
    format: the format of the content, which the file's name may contradict.
    pixels: digest of size and thumbnail; images with the same pixels have the same one, and few others do.
    phash: perceptual hash, 64 bits; near-duplicates differ in few of them.
    brightness: mean, in [0, 1]. sharpness: of the thumbnail's edges, to its contrast; noise counts as sharp. entropy:
        bits of the thumbnail's histogram, 0 for one grey level, at most 8.
    """

    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str = ""
    read_error: str | None = None
    format: str = ""
    pixels: str = ""
    phash: int = 0
    brightness: float = math.nan
    sharpness: float = math.nan
    entropy: float = math.nan


class _Unreadable(Exception):
    """Why an image that Pillow could open must not be used."""


def read_image(path: Path) -> ImageFacts:
    """Read an image file; what is wrong with it becomes its `read_error`."""
    if path.suffix.lower() in UNSUPPORTED_SUFFIXES:
        return ImageFacts(read_error=f"{path.suffix} is not supported; convert it to JPEG or PNG")
    try:
        content = _regular_content(path)
    except OSError as error:
        return ImageFacts(read_error=error.strerror or str(error))
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        return _facts(content, sha256)
    # Where Ultralytics 8.4 is imported too, its Image.open asks for a HEIF plugin that nobody installed.
    except (UnidentifiedImageError, ModuleNotFoundError):
        problem = f"{len(content)} bytes that are no {', '.join(FORMATS)} image"
    except Exception as error:  # on broken files Pillow's decoders raise whatever they run into
        problem = str(error) or type(error).__name__
    return ImageFacts(bytes=len(content), sha256=sha256, read_error=problem)


def pixels_digest(path: Path) -> str:
    """Digest of all pixels of a readable image, upright, in RGB."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return hashlib.sha256(f"{upright.size}".encode() + upright.tobytes()).hexdigest()


def _regular_content(path: Path) -> bytes:
    """Bytes of a file; opening a pipe or a device instead could wait for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # Path.stat costs twice as much, for every image
        raise OSError(0, "no regular file")
    return path.read_bytes()


def _facts(content: bytes, sha256: str) -> ImageFacts:
    with Image.open(io.BytesIO(content)) as image:
        if image.format not in FORMATS:
            raise UnidentifiedImageError
        _refuse_unsupported(image)
        if image.format == "PNG":
            image.verify()  # its checksums and end, which decoding passes over; the image is closed by it
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        image.draft("L", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        image.load()
        # OpenCV, and so the trainer, turns images by their EXIF orientation. Pillow turns TIFF itself when it decodes.
        turned = 1 if image.format == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)
        if image.format == "TIFF":
            width, height = image.size
        thumbnail = _thumbnail(image)
    if turned in SIDEWAYS:
        width, height = height, width
    # A rotated twin is compared upright.
    upright = thumbnail if turned == 1 else _turned(thumbnail, turned)
    packed = np.packbits(imagehash.phash(upright).hash)
    return ImageFacts(
        width=width,
        height=height,
        bytes=len(content),
        sha256=sha256,
        format="JPEG" if image.format == "MPO" else str(image.format),
        pixels=hashlib.blake2b(f"{width} {height}".encode() + upright.tobytes(), digest_size=16).hexdigest(),
        phash=int.from_bytes(packed.tobytes(), "big"),
        brightness=float(calc_avg_brightness(upright)),
        sharpness=_sharpness(upright),
        entropy=float(calc_entropy(upright)),
    )


def _refuse_unsupported(image: Image.Image) -> None:
    """Raise on what Ultralytics would leave out or read as something else, and on decompression bombs."""
    width, height = image.size
    if min(width, height) < SMALLEST_SIDE:
        raise _Unreadable(f"only {width} x {height} pixels")
    if width * height > LARGEST_AREA:
        raise _Unreadable(f"{width} x {height} pixels, more than {LARGEST_AREA:,}")
    if image.mode in {"I", "F"}:
        raise _Unreadable(f"32-bit pixels (mode {image.mode}) are not supported; convert it to 8 bits")


def _thumbnail(image: Image.Image) -> Image.Image:
    """A decoded image in grey, its longer side at most THUMBNAIL_SIDE."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # the high byte, as Ultralytics 8.4 takes it
    thumbnail = image.convert("L")
    thumbnail.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    return thumbnail


def _sharpness(thumbnail: Image.Image) -> float:
    """Standard deviation of the edges to that of the grey levels, so that pale and dark images are judged alike.

    cleanvision's calc_blurriness is the former alone. It takes in the outermost pixels, which Pillow 13 leaves as they
    are when it looks for edges: a bright image counts as sharp by its brightness, even if it is of one grey level.
    """
    edges = np.asarray(get_edges(thumbnail), np.float64)[1:-1, 1:-1]
    contrast = np.asarray(thumbnail, np.float64).std()
    return float(edges.std() / contrast) if edges.size and contrast > 0 else math.nan


def _turned(thumbnail: Image.Image, orientation: int) -> Image.Image:
    """The thumbnail upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    thumbnail.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(thumbnail)
