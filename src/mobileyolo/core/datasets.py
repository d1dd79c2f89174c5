"""What any dataset may hold: regular files of a limited size, and images that can be decoded.

Whoever made the files may have meant to harm, or a disk may have. So a file is refused before it takes minutes or all
of the memory, and by its headers where that is possible.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

PILLOW_FORMATS = ("BMP", "JPEG", "MPO", "PNG", "TIFF", "WEBP")  # as Pillow names them
LARGEST_AREA = 89_478_485  # pixels; above, Pillow warns of a decompression bomb (a quarter GB decoded)
IMAGE_MB = 800  # LARGEST_AREA without compression, with four channels of 16 bits
SCANS = 100  # of a progressive JPEG, each of which goes over all pixels; encoders write about 10
SEGMENTS = 1000  # in front of a JPEG's pixels; the largest profile takes 255, a depth map of 20 MB takes 320
STRAY_BYTES = 65_536  # between these segments; decoders skip them
PARTS = (
    100_000  # chunks of a PNG, or values of a TIFF's tag such as the offsets of its strips; Pillow reads them singly
)
# Markers of JPEG that begin a segment, an image or its end. Others stand within the compressed pixels.
MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
NO_LENGTH = frozenset({0xD8, END_OF_IMAGE})
BYTE_TYPES = frozenset({1, 2, 6, 7})  # of TIFF's tags: their values stay one piece of bytes


def read_regular(path: Path | str, limit_mb: int, purpose: str) -> bytes:
    """Bytes of a regular file; nothing else is opened, since a pipe or a device may never end, or do something.

    Args:
        path: The file, or a link to one.
        limit_mb: Larger files, in megabytes (1e6 bytes), are not read.
        purpose: What the file is, for the message about its size: "label file".

    Raises:
        OSError: it can't be read; its `strerror` says why, without the path.
    """
    _check_regular(os.stat(path), limit_mb, purpose)  # noqa: PTH116  # a Path costs twice as much, for every file
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        # What is read is what is open, whatever the path has led to since.
        status = os.fstat(file.fileno())
        _check_regular(status, limit_mb, purpose)
        content = file.read(status.st_size)
        while len(content) < status.st_size and (more := file.read(status.st_size - len(content))):
            content += more  # Linux reads at most 2 GB at a time
        return content


def open_image(content: bytes) -> Image.Image:
    """An image whose decoding takes seconds, not minutes; it is opened, and not decoded yet.

    Raises:
        ValueError: it must not be decoded; the message says why.
        Exception: Pillow can't open it. Its decoders raise all kinds of errors on broken files; UnidentifiedImageError
            if it is of no known format.
    """
    if content.startswith(b"\xff\xd8"):
        _check_jpeg(content)
    elif content.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(content)
    elif content[:2] in {b"II", b"MM"}:
        _check_tags(content)
    # Pillow opens MPO as JPEG.
    try:
        image = Image.open(io.BytesIO(content), formats=[name for name in PILLOW_FORMATS if name != "MPO"])
    except ModuleNotFoundError as error:  # Ultralytics (8.4) replaces Image.open by one that wants a package for HEIF
        raise UnidentifiedImageError("of no format that is read") from error
    width, height = image.size
    if width * height > LARGEST_AREA:
        raise ValueError(f"{width} x {height} pixels, more than {LARGEST_AREA:,}")
    if image.mode in {"I", "F"}:
        raise ValueError(f"32-bit pixels (mode {image.mode}) are not supported; convert it to 8 bits")
    _check_tags(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))  # of this form is EXIF, too
    return image


def _check_regular(status: os.stat_result, limit_mb: int, purpose: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError(0, "a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file")
    if status.st_size > limit_mb * 1e6:
        raise OSError(0, f"{status.st_size:,} bytes; no {purpose} is larger than {limit_mb} MB")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; if a pipe has just taken its place, without waiting for who writes into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_jpeg(content: bytes) -> None:
    """Refuse a JPEG that would be decoded thousands of times over, or that has thousands of segments."""
    markers = _jpeg_markers(content)
    position = stray = 0
    exif = b""
    for number, (code, start, end) in enumerate(markers, start=1):
        stray += start - position
        position = end
        if number > SEGMENTS:
            raise ValueError(f"more than {SEGMENTS:,} segments in front of its pixels")
        if stray > STRAY_BYTES:
            raise ValueError(f"more than {STRAY_BYTES:,} bytes between the segments in front of its pixels")
        if content.startswith(b"Exif\0\0", start + 4):
            exif += content[start + 10 : end]  # Pillow joins them, too
        if code == START_OF_SCAN:
            break
    _check_tags(exif)  # Pillow reads them when it opens a JPEG
    # Its two bytes can also stand in metadata, or behind the image; so they are looked at only if there are many.
    if content.count(bytes((0xFF, START_OF_SCAN)), position) < SCANS:
        return
    scans = 1
    for code, _, _ in markers:
        scans += code == START_OF_SCAN
        if scans > SCANS:
            raise ValueError(f"a JPEG of more than {SCANS} scans, each of which goes over all pixels; save it anew")
        if code == END_OF_IMAGE:
            return


def _jpeg_markers(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker's code, where it begins, and where its segment ends."""
    position = 0
    while found := MARKER.search(content, position):
        code, position = found[1][0], found.end()
        if code not in NO_LENGTH:
            position += int.from_bytes(content[position : position + 2], "big")
        yield code, found.start(), position


def _check_png(content: bytes) -> None:
    """Refuse a PNG of very many chunks."""
    position, chunks = 8, 0
    while position < len(content):
        position += 12 + int.from_bytes(content[position : position + 4], "big")
        chunks += 1
        if chunks > PARTS:
            raise ValueError(f"a PNG of more than {PARTS:,} chunks; save it anew")


def _check_tags(content: bytes) -> None:
    """Refuse a TIFF, or EXIF, of which a tag has very many values; only the first image's tags are read."""
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"

    def number(start: int, length: int) -> int:
        return int.from_bytes(content[start : start + length], order)

    big = number(2, 2) == 43  # BigTIFF
    start = number(8, 8) if big else number(4, 4)
    tags, first, size = (number(start, 8), start + 8, 20) if big else (number(start, 2), start + 2, 12)
    tags = min(tags, (len(content) - first) // size)
    if tags > PARTS:
        raise ValueError(f"a TIFF of more than {PARTS:,} tags")
    for entry in range(first, first + tags * size, size):
        values = number(entry + 4, 8 if big else 4)
        # Pillow skips a tag whose values, of two bytes or more, are not there.
        if PARTS < values <= len(content) // 2 and number(entry + 2, 2) not in BYTE_TYPES:
            tag = number(entry, 2)
            raise ValueError(f"TIFF's tag {tag} has {values:,} values (of strips, of tiles ...), more than {PARTS:,}")
