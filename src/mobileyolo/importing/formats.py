"""What can be imported. Light: the command line lists it without importing any reader."""

from __future__ import annotations

from typing import Literal

Format = Literal["voc", "coco", "bare"]
FORMATS: tuple[Format, ...] = ("voc", "coco", "bare")
