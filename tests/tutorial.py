"""The model YAML of a tutorial reader: Ultralytics' own, with one MobileNetV1 row that counts as layers 0 to 4."""

from __future__ import annotations

from pathlib import Path

import yaml

from mobileyolo.models import bridge
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, ModelDict

# Layers of Ultralytics' backbones at strides 4, 8 and 16, and what they are when the backbone is MobileNetV1.
_MOVED = {2: 1, 4: 2, 6: 3}
_SHIFT = -4


def tutorial(variant: str = "MobileNetV1_n", classes: int = 2, stock: ModelDict | None = None) -> ModelDict:
    """The model dictionary: YOLO11's unless another is given, whose first nine rows are a backbone like that.

    Of YOLO11, SPPF is then layer 5, C2PSA 6; the joins read 3, 2, 9 and 6, and Detect reads 12, 15, 18.
    """

    def moved(source: int | list[int]) -> int | list[int]:
        if isinstance(source, list):
            return [_moved(index) for index in source]
        return _moved(source)

    stock = stock or bridge.stock_architecture()
    rest_of_backbone = [[moved(source), *rest] for source, *rest in stock["backbone"][STOCK_BACKBONE_ROWS:]]
    return {
        **stock,
        "nc": classes,
        "backbone": [[-1, 1, variant, []], *rest_of_backbone],
        "head": [[moved(source), *rest] for source, *rest in stock["head"]],
    }


def _moved(index: int) -> int:
    return index if index < 0 else _MOVED.get(index, index + _SHIFT)


def write_tutorial(folder: Path, variant: str = "MobileNetV1_n", name: str = "yolo11-MobileNetV1.yaml") -> Path:
    """Write it as a file for `YOLO(path)`."""
    path = folder / name
    # In order: the first scale is the one of a file that names none.
    path.write_text(yaml.safe_dump(tutorial(variant), sort_keys=False), encoding="utf-8")
    return path
