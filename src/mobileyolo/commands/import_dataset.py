"""Make a YOLO dataset of Pascal VOC, COCO, labelme or unsplit YOLO files.

voc is a folder with JPEGImages and Annotations, or with .xml files beside the images. coco is a folder with .json files
and images anywhere below it. labelme is a .json file for each image. bare is images with YOLO labels that nobody has
split, or that Darknet's lists split.

The source is only read. The new folder is a dataset that `mobileyolo validate` accepts; it appears whole or not at all.
A bad file or box does not stop the import: what was left out or changed is counted by reason on the console, and listed
in import.csv beside data.yaml. Boxes only: masks, polygons and keypoints of COCO are not looked at, and of labelme's
shapes only rectangles are.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileyolo.commands.option_types import names, share, whole
from mobileyolo.core.console import say
from mobileyolo.importing.formats import SOURCE_FORMATS

if TYPE_CHECKING:
    from mobileyolo.importing.formats import SourceFormat

SUMMARY = "make a YOLO dataset of Pascal VOC, COCO, labelme or unsplit YOLO files"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo import voc VOCdevkit/VOC2012 data/voc
  mobileyolo import coco coco data/coco --link
  mobileyolo import labelme photos data/photos
  mobileyolo import bare helmets data/helmets --names helmet,head --val 0.2 --test 0.1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where to where, what of it, and how it is split."""
    parser.add_argument("kind", metavar="format", choices=SOURCE_FORMATS, help=f"one of {', '.join(SOURCE_FORMATS)}")
    parser.add_argument("source", type=Path, help="folder that holds both images and annotations")
    parser.add_argument("target", type=Path, help="new or empty folder, outside of the source")
    parser.add_argument("--link", action="store_true", help="make hard links to the images instead of copies")
    content = parser.add_argument_group("what is imported")
    content.add_argument("--names", type=names, help="classes in the order of their ids, as a,b,c; others are left out")
    content.add_argument(
        "--background", action="store_true", help="keep images without annotation: they hold no objects"
    )
    content.add_argument("--difficult", action="store_true", help="voc: keep the objects that are marked difficult")
    content.add_argument(
        "--from-zero", action="store_true", help="voc: coordinates are edges from 0, not pixels counted from 1"
    )
    split = parser.add_argument_group(
        "how it is split", "A split of the source's own is kept. A new one keeps near-duplicates together."
    )
    split.add_argument("--resplit", action="store_true", help="split anew even if the source has a split of its own")
    split.add_argument("--val", type=share(1), default=Fraction(1, 5), help="share for validation (default: 0.2)")
    split.add_argument("--test", type=share(0), default=Fraction(1, 10), help="share for test (default: 0.1)")
    split.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="another seed, another split (default: 0)")


def run(kind: SourceFormat, source: Path, target: Path, **options: Any) -> None:
    """Import."""
    from mobileyolo.importing.conversion import import_dataset
    from mobileyolo.importing.sources import Options

    say(import_dataset(kind, source, target, Options(**options)).describe())
