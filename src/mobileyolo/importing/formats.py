"""What can be imported. Light: the command line lists it without importing any reader."""

from __future__ import annotations

from typing import Literal

SourceFormat = Literal["voc", "coco", "bare"]
SOURCE_FORMATS: tuple[SourceFormat, ...] = ("voc", "coco", "bare")
