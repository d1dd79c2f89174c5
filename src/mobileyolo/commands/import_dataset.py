"""Make a YOLO dataset of Pascal VOC, COCO or unsplit YOLO files.

The source is only read. The new folder appears whole or not at all. A split of the source's own stays, unless
--resplit. What was left out or changed is counted by reason on the console and listed in import.csv. Boxes only: masks,
polygons and keypoints of COCO are not looked at.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

from mobileyolo.commands.converters import names, share, whole
from mobileyolo.importing.sources import SOURCE_FORMATS, Options, SourceFormat

SUMMARY = "make a YOLO dataset of Pascal VOC, COCO or unsplit YOLO files"
EXAMPLES = """examples:
  mobileyolo import voc VOCdevkit/VOC2012 data/voc
  mobileyolo import coco coco data/coco --link
  mobileyolo import bare helmets data/helmets --names helmet,head --val 0.2 --test 0.1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where to where, and how it is split."""
    parser.add_argument("kind", metavar="format", choices=SOURCE_FORMATS, help=f"one of {', '.join(SOURCE_FORMATS)}")
    parser.add_argument("source", type=Path, help="folder that holds both images and annotations")
    parser.add_argument("target", type=Path, help="new or empty folder, outside of the source")
    parser.add_argument("--names", type=names, help="classes in the order of their ids: a,b,c; others are left out")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="of the split (default: 0)")
    parser.add_argument("--val", type=share(1), default=Fraction(1, 5), help="share for validation (default: 0.2)")
    parser.add_argument("--test", type=share(0), default=Fraction(1, 10), help="share for test (default: 0.1)")
    parser.add_argument("--resplit", action="store_true", help="split by seed even if the source has its own split")
    parser.add_argument("--background", action="store_true", help="images without annotation hold no objects")
    parser.add_argument("--difficult", action="store_true", help="voc: keep the objects that are called difficult")
    parser.add_argument(
        "--from-zero", action="store_true", help="voc: coordinates are edges from 0, not pixels counted from 1"
    )
    parser.add_argument("--link", action="store_true", help="hard links to the source's images instead of copies")


def run(kind: SourceFormat, source: Path, target: Path, **options: Any) -> None:
    """Import."""
    from mobileyolo.importing.conversion import import_dataset  # scikit-learn takes seconds to import

    print(import_dataset(kind, source, target, Options(**options)).describe())
