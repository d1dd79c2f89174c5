"""JSON files that others wrote: read whole or refused, and the ids, numbers and flags in them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import psutil

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.labels import NUMBER
from mobileyolo.dataset.text import read_text

_BYTES_A_VALUE = 60  # of memory, beside the text; Python 3.11 took 30 to 50 (boxes, polygons, empty objects)
SHOWN = 120  # characters of a record in a note
Key = int | float | str


def read_json(path: Path, limit_mb: int, kind: str) -> Any:
    """Content of a JSON file; `kind` is the name of its format.

    Raises:
        DatasetError: it can't be read, is not JSON, or the machine has no room for it.
    """
    text = read_text(path, limit_mb, "annotation file")
    _check_memory(path, text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number with thousands of digits
        raise DatasetError(f"{path}: not {kind}: {error}") from None


def _check_memory(path: Path, text: str) -> None:
    """Refuse a file before Python makes objects of it that the machine has no room for."""
    needed = len(text) + _BYTES_A_VALUE * sum(text.count(mark) for mark in ",[{")
    free = psutil.virtual_memory().available
    if needed > free:
        raise DatasetError(
            f"{path}: reading it takes about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
            "divide it into several files, each with its own images"
        )


def field(record: Any, name: str) -> Any:
    """A field of a record; None if it is missing, or the record is no mapping."""
    return record.get(name) if isinstance(record, dict) else None


def text_of(record: Any, name: str) -> str:
    """A field that is a text, without blanks at its ends; "" if it is none."""
    value = field(record, name)
    return value.strip() if isinstance(value, str) else ""


def key_of(record: Any, name: str) -> Key | None:
    """An id: a number or a text. 3.0 is 3, as in Python's dictionaries, and so in pycocotools; 3 and "3" differ."""
    value = field(record, name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    return value


def number(value: Any) -> float | None:
    """A finite number, also one that is written as a text."""
    if isinstance(value, str):
        value = value.strip()
        value = float(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer that is too large for a float
        return None
    return found if math.isfinite(found) else None


def flag(value: Any) -> bool | None:
    """A flag that is missing, a number or one of the words true and false; None if it is something else."""
    if isinstance(value, str):
        value = {"": 0, "false": 0, "true": 1}.get(value.strip().lower(), value)
    if value is None or isinstance(value, bool):
        return bool(value)
    found = number(value)
    return None if found is None else found != 0


def shown(record: Any, *hidden: str) -> str:
    """A record as short text, without its hidden fields."""
    if isinstance(record, dict):
        record = {key: value for key, value in record.items() if key not in hidden}
    return json.dumps(record, ensure_ascii=False)[:SHOWN]
