"""Label files of a YOLO detection dataset, line by line, with their faults. Reads, never writes."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from mobileyolo.dataset.text import read_content, shortened

BOX_COLUMNS = 5  # class x y w h
LABELS_MB = 16  # a hundred thousand boxes, or polygons of many points
LINES = 100_000  # of a label file, blank ones too; one of 16 MB could have millions, and each becomes a row
# Stricter than Python and NumPy, and so Ultralytics 8.4, which read 1_0 as 10 and accept digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Ultralytics ends a line at each of these too, and would read two lines where the columns say one.
SEPARATORS = re.compile(r"[\v\f\x1c-\x1e\x85\u2028\u2029]")
# Of texts of only these characters, float() accepts exactly what NUMBER matches, and none has a separator.
PLAIN = b"0123456789+-.eE \t\r\n"
KEY_BITS = 2**63 - 1


class LabelLine(NamedTuple):
    """One non-blank line of a label file, parsed where it could be; a tuple, for there are millions.

    line: 1-based; 1 if the whole file can't be read.
    text: the line, shortened to 80 characters; "" where it was parsed.
    parse_error: None where it was parsed.
    class_id, x, y, w, h: the box in xywhn, around the polygon if it is one; NaN where it was not parsed.
    points: of the polygon; 0 for a box. A file may have both here; Ultralytics 8.4 ignores such a file.
    key: the same for lines with the same numbers, and only for those, on every machine; -1 where it was not parsed.
    """

    line: int
    text: str = ""
    parse_error: str | None = None
    class_id: float = math.nan
    x: float = math.nan
    y: float = math.nan
    w: float = math.nan
    h: float = math.nan
    points: int = 0
    key: int = -1


# class_id, x, y, w, h, points, key
Parsed = tuple[float, float, float, float, float, int, int]


def read_label(path: Path | str) -> list[LabelLine]:
    """Read the non-blank lines of a label file; if it can't be read at all, one line says why.

    Lines end as editors count them: with a line feed, a carriage return or both.
    """
    try:
        content = read_content(path, LABELS_MB, "label file")
    except ValueError as error:
        return [LabelLine(1, "", str(error))]
    if max(content.count(b"\n"), content.count(b"\r")) > LINES:
        return [LabelLine(1, "", f"more than {LINES:,} lines; no label file has as many")]
    if content.translate(None, PLAIN):
        read = [_read_line(number, raw) for number, raw in enumerate(content.splitlines(), start=1)]
    else:
        read = [_read_plain_line(number, text) for number, text in enumerate(content.decode().splitlines(), start=1)]
    return [line for line in read if line is not None]


def parse_line(text: str) -> Parsed:
    """Parse a label line: `class x y w h`, or `class x1 y1 x2 y2 x3 y3 ...`, a polygon.

    Raises:
        ValueError: it is neither; the message says why.
    """
    text = text.strip()
    if separator := SEPARATORS.search(text):
        raise ValueError(f"{separator[0]!r} in the line; lines end with a line feed, columns with a space")
    return _parsed(tuple(_number(column) for column in text.split()))


def _read_line(number: int, raw: bytes) -> LabelLine | None:
    try:
        text = raw.decode()
        return LabelLine(number, "", None, *parse_line(text)) if text.strip() else None
    except UnicodeDecodeError:
        return LabelLine(number, shortened(raw.decode(errors="backslashreplace").strip()), "not UTF-8")
    except ValueError as error:
        return LabelLine(number, shortened(text.strip()), str(error))


def _read_plain_line(number: int, text: str) -> LabelLine | None:
    """Read a line of PLAIN characters in half the time; _read_line says what is wrong with any other."""
    try:
        values = tuple(map(float, text.split()))
        if math.isfinite(sum(values)):
            return LabelLine(number, "", None, *_parsed(values))
    except (ValueError, IndexError):  # IndexError: an empty line
        pass
    return _read_line(number, text.encode())


def _number(column: str) -> float:
    number = float(column) if NUMBER.fullmatch(column) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{column!r:.40} is not a finite number")
    return number


def _parsed(values: tuple[float, ...]) -> Parsed:
    class_id = values[0]
    if not class_id.is_integer():
        raise ValueError(f"class {class_id:g} is not a whole number")
    # Python's hash of numbers is the same in every process. It is the same for -1 and -2, but not for -2 and -4.
    key = hash(values if min(values) >= 0 else (*values, *(2 * value for value in values))) & KEY_BITS
    if len(values) == BOX_COLUMNS:
        _, x, y, w, h = values
        return class_id, x, y, w, h, 0, key
    if len(values) < BOX_COLUMNS or len(values) % 2 == 0:
        raise ValueError(f"{len(values)} columns; expected class x y w h, or a class and three or more points")
    xs, ys = values[1::2], values[2::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return class_id, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top, len(xs), key
