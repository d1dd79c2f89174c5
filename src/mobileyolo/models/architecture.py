"""From a backbone's name to the model dictionary that Ultralytics builds. Pure: no torch, no files.

Every model has the neck and head of YOLO11n (the neck includes SPPF and C2PSA), so that two arms differ in the backbone
only. The dictionary holds final channels and repeats, and a single scale that changes nothing. Without it, Ultralytics
would take a scale from the file's name.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

from mobileyolo.core.backbones import Stock, spec_of

ModelDict = dict[str, Any]
Row = list[Any]  # [from, repeats, module, args]

NECK_SCALE = "n"
# At these scales Ultralytics always builds C3k2 with C3k blocks, regardless of the row's arguments (parse_model, 8.4).
C3K_SCALES = frozenset("mlx")
# Rows of the stock backbone that are replaced; its last rows (SPPF, C2PSA) count as neck here.
STOCK_BACKBONE_ROWS = 9
# Stock rows that output the feature maps at strides 8, 16 and 32.
STOCK_TAPS = (4, 6, 8)

# Output channels at alpha 1.0 of the last layers at strides 4, 8, 16 and 32 (arXiv 1704.04861, table 1).
MOBILENET_TAP_CHANNELS = (128, 256, 512, 1024)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round channels up to a multiple, as Ultralytics does.

    >>> make_divisible(65), make_divisible(64)
    (72, 64)
    """
    return math.ceil(channels / divisor) * divisor


def mobilenet_channels(channels: int, width: float) -> int:
    """Channels of a MobileNetV1 layer at width multiplier alpha: rounded to a multiple of 8, never below 8.

    >>> [mobilenet_channels(channels, width=0.25) for channels in MOBILENET_TAP_CHANNELS]
    [32, 64, 128, 256]
    >>> mobilenet_channels(32, width=0.1)
    8
    """
    return max(8, int(channels * width + 4) // 8 * 8)


def mobilenet_rows(width: float) -> list[Row]:
    """One row for the network and one for each feature map, so that layers have the numbers of the tutorials' YAMLs.

    >>> for row in mobilenet_rows(width=0.25):
    ...     print(row)
    [-1, 1, 'MobileNetV1', [0.25]]
    [0, 1, 'Index', [32, -4]]
    [0, 1, 'Index', [64, -3]]
    [0, 1, 'Index', [128, -2]]
    [0, 1, 'Index', [256, -1]]
    """
    # Counted from the end, because the module in a built model returns its input before the maps.
    taps: list[Row] = [
        [0, 1, "Index", [mobilenet_channels(channels, width), index - len(MOBILENET_TAP_CHANNELS)]]
        for index, channels in enumerate(MOBILENET_TAP_CHANNELS)
    ]
    return [[-1, 1, "MobileNetV1", [width]], *taps]


def model_dict(backbone: str, classes: int, stock: ModelDict, *, whole: bool = False) -> ModelDict:
    """Architecture of `backbone` under YOLO11n's neck and head.

    Args:
        backbone: its name.
        classes: number of classes.
        stock: YOLO11's own architecture as Ultralytics ships it (yolo11.yaml), with its scales.
        whole: does a stock backbone have the neck and the head of its own scale, and so is the model that Ultralytics
            ships?
    """
    spec = spec_of(backbone)
    neck_scale = spec.scale if whole and isinstance(spec, Stock) else NECK_SCALE
    neck_rows = deepcopy(stock["backbone"][STOCK_BACKBONE_ROWS:] + stock["head"])
    scaled_neck = [_scaled(row, stock["scales"], neck_scale, classes) for row in neck_rows]
    if isinstance(spec, Stock):
        rows = [
            _scaled(row, stock["scales"], spec.scale, classes)
            for row in deepcopy(stock["backbone"][:STOCK_BACKBONE_ROWS])
        ]
        taps = STOCK_TAPS
    else:
        rows = mobilenet_rows(spec.width)
        taps = (2, 3, 4)
    moved = dict(zip(STOCK_TAPS, taps, strict=True))
    shift = len(rows) - STOCK_BACKBONE_ROWS
    rows += [[_renumbered(row[0], moved, shift), *row[1:]] for row in scaled_neck]
    backbone_length = len(rows) - len(stock["head"])
    return {
        "nc": classes,
        # depth 1, width 1, no limit on channels: the rows hold the final values
        "scales": {NECK_SCALE: [1.0, 1.0, 1_000_000]},
        "scale": NECK_SCALE,
        "backbone": rows[:backbone_length],
        "head": rows[backbone_length:],
    }


def _scaled(row: Row, scales: dict[str, list[float]], scale: str, classes: int) -> Row:
    """A stock row with a scale's depth, width and channel limit applied."""
    depth, width, cap = scales[scale]
    source, repeats, module, args = row
    repeats = max(round(repeats * depth), 1) if repeats > 1 else repeats
    if module in {"Conv", "SPPF", "C2PSA", "C3k2"}:
        args = [make_divisible(min(args[0], cap) * width), *args[1:]]
    if module == "C3k2" and scale in C3K_SCALES:
        args[1] = True
    if module == "Detect":
        args = [classes]
    return [source, repeats, module, args]


def _renumbered(source: int | list[int], moved: dict[int, int], shift: int) -> int | list[int]:
    """A row's sources, corrected for the changed length of the backbone."""

    def one(index: int) -> int:
        return index if index < 0 else moved.get(index, index + shift)

    return [one(index) for index in source] if isinstance(source, list) else one(source)
