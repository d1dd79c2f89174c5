"""What can be imported. Light: the command line lists it without importing any reader."""

from __future__ import annotations

from typing import Literal

SourceFormat = Literal["voc", "coco", "labelme", "bare"]
SOURCE_FORMATS: tuple[SourceFormat, ...] = ("voc", "coco", "labelme", "bare")
# Options that only some formats have a use for, by field of Options.
ONLY_FOR: dict[str, tuple[SourceFormat, ...]] = {"difficult": ("voc",), "from_zero": ("voc",)}
