"""Small pictures for a page: whole images of a dataset, or the surroundings of a box. Reads, never writes.

Images are shown as the trainer sees them: rotated by EXIF, without transparency, only the upper 8 of 16 bits.
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mobileyolo.core.datasets import IMAGE_MB, open_image, read_regular

Box = tuple[float, float, float, float]

QUALITIES = (85, 70, 55, 40, 25)  # of JPEG; the first that is small enough is taken
FRAME = 4 / 3  # width over height of what is shown round a box
NEIGHBOURHOOD = 3.0  # sides of the box that are shown
LEAST_VIEW = 48  # pixels; the smallest view
FARTHEST = 0.25  # of the image's sides: how far outside of the image a box is shown
PIXELATED = 120  # pixels; a view of at most this width shows its pixels as squares


@dataclass(frozen=True)
class View:
    """A part of an image, and perhaps of the empty space around it, in pixels of the upright image."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Picture:
    """An image as a page shows it.

    width, height: pixels, of the whole image, upright; 0 where it can't be shown.
    view: what is shown.
    part: the part of it that the image fills.
    source: that part as a data URI, "" where it can't be shown.
    problem: why it can't be shown.
    """

    width: int = 0
    height: int = 0
    view: View = View(0, 0, 4, 3)
    part: View = View(0, 0, 0, 0)
    source: str = ""
    problem: str = ""

    @property
    def pixelated(self) -> bool:
        """Is it magnified so much that its pixels should be seen?"""
        return self.view.width <= PIXELATED

    def outline(self, boxes: Iterable[Box], least: float = 0) -> str:
        """The path of an SVG round boxes, in pixels; what lies far outside the view is cut off.

        Args:
            boxes: xywhn.
            least: Share of the view's width that a smaller side is drawn at, round the box's centre.
        """
        return "".join(self._rectangle(box, least * self.view.width) for box in boxes if _finite(box))

    def shows(self, box: Box) -> bool:
        """Is any part of a box (xywhn) in the view?"""
        left, top, right, bottom = _edges(box, self.width, self.height)
        across = left <= self.view.right and right >= self.view.left
        return across and top <= self.view.bottom and bottom >= self.view.top

    def _rectangle(self, box: Box, least: float) -> str:
        view = self.view
        left, top, right, bottom = _edges(box, self.width, self.height)
        across, down = (max(0.0, least - side) / 2 for side in (right - left, bottom - top))
        left, top, right, bottom = left - across, top - down, right + across, bottom + down
        left, right = (min(max(x, view.left - view.width), view.right + view.width) for x in (left, right))
        top, bottom = (min(max(y, view.top - view.height), view.bottom + view.height) for y in (top, bottom))
        return f"M{left:.6g} {top:.6g}H{right:.6g}V{bottom:.6g}H{left:.6g}Z"


def take(path: Path, box: Box | None, longest_side: int, most_bytes: int) -> Picture:
    """A picture of an image file; what can't be read becomes a picture that says why.

    Args:
        path: The file.
        box: xywhn; the picture shows its neighbourhood, or the whole image where there is none.
        longest_side: Pixels of the picture, at most.
        most_bytes: How large its JPEG should be, at most; one of noise may become larger.
    """
    try:
        with _open(path) as image:
            return _taken(image, box, longest_side, most_bytes)
    # If Ultralytics 8.4 is imported, its patched Image.open raises ModuleNotFoundError for a missing HEIF plugin.
    except (UnidentifiedImageError, ModuleNotFoundError):
        problem = "not an image of a known format"
    except OSError as error:
        problem = error.strerror or str(error)  # without the path, which differs between machines
    except Exception as error:  # Pillow's decoders raise all kinds of errors on broken files
        problem = str(error) or type(error).__name__
    return Picture(problem=problem)


def view_round(box: Box | None, width: int, height: int) -> View:
    """What to show of an image: the surroundings of a box, also a little outside of the image, or else all of it."""
    whole = View(0, 0, width, height)
    if box is None or not _finite(box):
        return whole
    left, top, right, bottom = _edges(box, width, height)
    left, top = max(left, -FARTHEST * width), max(top, -FARTHEST * height)
    right, bottom = min(right, (1 + FARTHEST) * width), min(bottom, (1 + FARTHEST) * height)
    if right < left or bottom < top:
        return whole  # the box is too far away to be shown
    wanted = max(NEIGHBOURHOOD * max(right - left, FRAME * (bottom - top)), LEAST_VIEW)
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        wanted = math.inf  # nothing of the image is near the box: show all of both
    # If a box reaches beyond the image, a little more than its edge is shown.
    margin = 0.02 * max(width, height) * (left < 0 or top < 0 or right > width or bottom > height)
    x, view_width = _span(left - margin, right + margin, width, wanted)
    y, view_height = _span(top - margin, bottom + margin, height, wanted / FRAME)
    return View(x, y, view_width, view_height)


def _span(low: float, high: float, side: int, wanted: float) -> tuple[float, float]:
    """Start and length of a view along one side; it stays within the image, extended by the box."""
    first, last = min(low, 0.0), max(high, float(side))
    length = min(wanted, last - first)
    start = (low + high - length) / 2
    return min(max(start, first), last - length), length


def _edges(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right and lower edge in pixels; the sign of a size doesn't matter."""
    x, y, w, h = box
    w, h = abs(w), abs(h)
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


def _finite(box: Box) -> bool:
    return all(map(math.isfinite, box))


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """An image that may be decoded: not a pipe or device, where opening may wait forever, nor a decompression bomb."""
    content = read_regular(path, IMAGE_MB, "image")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about size and odd metadata
        with open_image(content) as image:
            yield image


def _taken(image: Image.Image, box: Box | None, longest_side: int, most_bytes: int) -> Picture:
    if image.format == "TIFF":
        image.load()  # Pillow rotates it itself, now or at opening, depending on its version
    turned = image.getexif().get(ExifTags.Base.Orientation, 1)
    width, height = reversed(image.size) if turned in range(5, 9) else image.size
    view = view_round(box, width, height)
    left, top = max(view.left, 0), max(view.top, 0)
    part = View(left, top, min(view.right, width) - left, min(view.bottom, height) - top)
    scale = min(1.0, longest_side / max(part.width, part.height))
    # Decodes a JPEG at a half, a quarter or an eighth of its size where that is enough.
    image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    upright = ImageOps.exif_transpose(image)
    across, down = upright.width / width, upright.height / height
    shown = _rgb(upright).resize(
        (max(1, round(part.width * scale)), max(1, round(part.height * scale))),
        Image.Resampling.LANCZOS,
        (part.left * across, part.top * down, min(part.right, width) * across, min(part.bottom, height) * down),
        reducing_gap=3,
    )
    return Picture(width, height, view, part, _data_uri(shown, most_bytes))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def _data_uri(image: Image.Image, most_bytes: int) -> str:
    for quality in QUALITIES:
        buffer = io.BytesIO()
        # Colours at full resolution: a box may be a few pixels wide.
        image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        if buffer.tell() <= most_bytes:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
