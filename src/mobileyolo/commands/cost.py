"""Count what every backbone costs: parameters and GFLOPs of backbone, neck and head, at several widths and input sizes.

Everything is counted on the real modules, fused as for prediction. Nothing is trained, and no dataset is needed. The
last lines name the MobileNetV1 that costs what yolo11n does, and what its depthwise separable layers save.
"""

from __future__ import annotations

import argparse

from mobileyolo.commands.option_types import imgsz as imgsz_converter
from mobileyolo.commands.option_types import whole
from mobileyolo.core.console import say

SUMMARY = "count parameters and GFLOPs of every backbone"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo cost
  mobileyolo cost --classes 3 --imgsz 320
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Classes and input size."""
    parser.add_argument("--classes", type=whole(1, 100_000), default=80, help="number of classes (default: 80)")
    parser.add_argument(
        "--imgsz", type=imgsz_converter, default=640, help="side of the square input in pixels (default: 640)"
    )


def run(classes: int, imgsz: int) -> None:
    """Count and print."""
    from mobileyolo.costs.counting import measure
    from mobileyolo.reporting.comparison.cost_tables import console_sheet

    say(console_sheet(measure(classes, imgsz)))
