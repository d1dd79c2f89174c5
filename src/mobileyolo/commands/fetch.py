"""Download starting weights by name into data/weights/.

This is the only command that downloads anything. Known names are YOLO11's checkpoints (yolo11n.pt to yolo11x.pt, from
Ultralytics) and timm's MobileNetV1 with ImageNet weights (such as mobilenetv1_100; these need an extra: pip install
'mobileyolo[imagenet]'). A file that lies there already is kept.

Then name the file in params.yaml: as init.detector or train.teacher if it is a checkpoint of YOLO11, as init.backbone
if it is timm's.
"""

from __future__ import annotations

import argparse

from mobileyolo.core import environment
from mobileyolo.core.console import say

SUMMARY = "download starting weights by name"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo fetch yolo11n.pt mobilenetv1_100
  dvc exp run -S backbone=mnv1_m -S init.detector=yolo11n.pt -S init.backbone=mobilenetv1_100
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names."""
    parser.add_argument("names", nargs="+", metavar="name", help="weights such as yolo11n.pt or mobilenetv1_100")


def run(names: list[str]) -> None:
    """Download them."""
    environment.allow_downloads()
    from mobileyolo.downloads import download  # after the switch, which Ultralytics and timm read on import

    for name in names:
        say(f"{download(name)}: name it in params.yaml as {name}")
