"""One image file: whether it can be decoded to its last pixel, and a few numbers that describe it. Reads, never writes.

There may be a hundred thousand of them, so JPEGs are decoded at a fraction of their size. This still reads every byte
of the compressed data.
"""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mobileyolo.core.datasets import IMAGE_MB, PILLOW_FORMATS, open_image, read_regular
from mobileyolo.dataset.layout import UNSUPPORTED_SUFFIXES

cv2.setNumThreads(1)  # images are read in parallel already
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # such images are refused below

SMALLEST_SIDE = 10  # pixels; Ultralytics 8.4 leaves smaller images out
SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
THUMBNAIL_SIDE = 128  # pixels; small enough to decode fast, large enough to tell blurred images from sharp ones
DHASH_SIDE = 32  # pixels; what imagehash shrinks an image to


@dataclass(frozen=True)
class ImageFacts:
    """Facts about one image file; only bytes and sha256 are known if it is unreadable.

    width, height: pixels, after the rotation by EXIF.
    format: the format of the content; the file extension may name another.
    pixels: digest of size and a tiny thumbnail; equal for images with equal pixels, and for few others.
    dhash: perceptual hash of the thumbnail's gradients, 64 bits; near-duplicates differ in few of them.
    brightness, contrast: mean and standard deviation of the thumbnail's grey levels, in [0, 1].
    sharpness: standard deviation of the thumbnail's Laplacian (Pech-Pacheco et al. 2000), divided by its contrast, so
        that pale and dark images are judged alike; noise counts as sharp; NaN for an image of one grey level.
    """

    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str = ""
    read_error: str | None = None
    format: str = ""
    pixels: str = ""
    dhash: int = 0
    brightness: float = math.nan
    contrast: float = math.nan
    sharpness: float = math.nan


def read_image(path: Path | str) -> ImageFacts:
    """Read an image file; what is wrong with it becomes its `read_error`."""
    name = os.fspath(path)  # a Path would be slower, and there are many images
    suffix = os.path.splitext(name)[1]  # noqa: PTH122
    if suffix.lower() in UNSUPPORTED_SUFFIXES:
        return ImageFacts(read_error=f"{suffix} is not supported; convert it to JPEG or PNG")
    try:
        content = read_regular(name, IMAGE_MB, "image")
    except OSError as error:
        return ImageFacts(read_error=error.strerror or str(error))
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        return _facts(content, sha256)
    # If Ultralytics 8.4 is imported, its patched Image.open raises ModuleNotFoundError for a missing HEIF plugin.
    except (UnidentifiedImageError, ModuleNotFoundError):
        problem = f"{len(content)} bytes that are not a {', '.join(PILLOW_FORMATS)} image"
    except Exception as error:  # Pillow's decoders raise all kinds of errors on broken files
        problem = str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            return ImageFacts(
                read_error="not enough memory"
            )  # may work another time: without a digest it is not remembered
    return ImageFacts(bytes=len(content), sha256=sha256, read_error=problem)


def pixels_digest(path: Path) -> str:
    """Digest of all pixels of a readable image, rotated by EXIF, in RGB."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return hashlib.sha256(f"{upright.size}".encode() + upright.tobytes()).hexdigest()


def _facts(content: bytes, sha256: str) -> ImageFacts:
    with _open(content) as image:
        if image.format == "PNG":
            image.verify()  # checks checksums and end, which decoding does not; it closes the image
            image = _open(content)
        if image.format in {"JPEG", "MPO"}:
            width, height = image.size
            grey = _grey_of_jpeg(image, content)
        else:
            grey = _grey(image)
            width, height = image.size  # Pillow rotates TIFF itself when it decodes
        # OpenCV, and so the trainer, rotates all other formats by their EXIF orientation.
        orientation = 1 if image.format == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)
    grey = _turned(grey, orientation)
    if orientation in SIDEWAYS:
        width, height = height, width
    thumbnail = _shrunk(grey, *_thumbnail_size(width, height))
    mean, deviation = cv2.meanStdDev(thumbnail)
    _, edges = cv2.meanStdDev(cv2.Laplacian(thumbnail, cv2.CV_16S))
    tiny = _shrunk(thumbnail, DHASH_SIDE, DHASH_SIDE)
    bits = np.packbits(imagehash.dhash(Image.fromarray(tiny)).hash)
    return ImageFacts(
        width=width,
        height=height,
        bytes=len(content),
        sha256=sha256,
        format="JPEG" if image.format == "MPO" else str(image.format),
        pixels=hashlib.blake2b(b"%d %d " % (width, height) + tiny.tobytes(), digest_size=16).hexdigest(),
        dhash=int.from_bytes(bits.tobytes(), "big"),
        brightness=float(mean[0, 0]) / 255,
        contrast=float(deviation[0, 0]) / 255,
        sharpness=float(edges[0, 0] / deviation[0, 0]) if deviation[0, 0] > 0 else math.nan,
    )


def _open(content: bytes) -> Image.Image:
    """Open an image; refuse also what Ultralytics would skip."""
    image = open_image(content)
    if min(image.size) < SMALLEST_SIDE:
        raise ValueError(f"only {image.width} x {image.height} pixels")
    return image


def _grey_of_jpeg(image: Image.Image, content: bytes) -> NDArray[np.uint8]:
    """Grey levels of a JPEG at a fraction of its size, shape (height, width)."""
    width, height = _thumbnail_size(*image.size)
    try:
        # libjpeg-turbo as in Pillow, in half the time; but it refuses some files that Pillow can read.
        small: NDArray[np.uint8] = simplejpeg.decode_jpeg(content, "GRAY", min_width=width, min_height=height)
        return small[..., 0]
    except ValueError:
        image.draft("L", (width, height))
        return _grey(image)


def _thumbnail_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, THUMBNAIL_SIDE / max(width, height))
    return math.ceil(width * scale), math.ceil(height * scale)


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """Grey levels of an image, shape (height, width)."""
    image.load()
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)  # the high byte, as Ultralytics 8.4 takes it
    return np.asarray(image if image.mode == "L" else image.convert("L"))


def _shrunk(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The image, resized so that every pixel has an influence."""
    # Bilinear interpolation reads 2 x 2 pixels for each new one. So down to half the size it uses every pixel, as the
    # mean over areas does, and it is much faster.
    exact = max(grey.shape[1] / width, grey.shape[0] / height) <= 2
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR if exact else cv2.INTER_AREA)  # type: ignore[return-value]


def _turned(grey: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The image rotated and mirrored by its EXIF orientation, so that copies with another orientation are found."""
    if orientation in SIDEWAYS:
        grey = grey.T
    if orientation in {2, 3, 6, 7}:
        grey = grey[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        grey = grey[::-1]
    return np.ascontiguousarray(grey)
