"""The model YAML of a tutorial reader: YOLO11's own, with one MobileNetV1 row that counts as layers 0 to 4."""

from __future__ import annotations

from pathlib import Path

import yaml

from mobileyolo.models import bridge
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, ModelDict

# Layers of YOLO11's backbone that its head reads, and what they are when the backbone is MobileNetV1.
_MOVED = {4: 2, 6: 3}
_SHIFT = -4


def tutorial(variant: str = "MobileNetV1_n", classes: int = 2) -> ModelDict:
    """The model dictionary. SPPF is layer 5, C2PSA 6; the joins read 3, 2, 9 and 6, and Detect reads 12, 15, 18."""

    def moved(source: int | list[int]) -> int | list[int]:
        if isinstance(source, list):
            return [_MOVED.get(index, index + _SHIFT) if index >= 0 else index for index in source]
        return source

    stock = bridge.stock_architecture()
    return {
        "nc": classes,
        "scales": stock["scales"],
        "backbone": [[-1, 1, variant, []], *stock["backbone"][STOCK_BACKBONE_ROWS:]],
        "head": [[moved(source), *rest] for source, *rest in stock["head"]],
    }


def write_tutorial(folder: Path, variant: str = "MobileNetV1_n", name: str = "yolo11-MobileNetV1.yaml") -> Path:
    """Write it as a file for `YOLO(path)`."""
    path = folder / name
    # In order: the first scale is the one of a file that names none.
    path.write_text(yaml.safe_dump(tutorial(variant), sort_keys=False), encoding="utf-8")
    return path
