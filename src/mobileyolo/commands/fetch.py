"""Download starting weights by name into data/weights/.

This is the only command that asks the network for anything. Known names are YOLO11's checkpoints (yolo11n.pt to
yolo11x.pt, from Ultralytics) and timm's MobileNetV1 (such as mobilenetv1_100). What lies there already is kept. The
name then goes into params.yaml as init.detector, init.backbone or train.teacher.
"""

from __future__ import annotations

import argparse

from mobileyolo.core import environment

SUMMARY = "download starting weights by name"
EXAMPLES = """examples:
  mobileyolo fetch yolo11n.pt mobilenetv1_100
  dvc exp run -S init.detector=yolo11n.pt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names."""
    parser.add_argument("names", nargs="+", metavar="name", help="such as yolo11n.pt or mobilenetv1_100")


def run(names: list[str]) -> None:
    """Download them."""
    environment.allow_downloads()
    from mobileyolo.models.downloads import download  # after the switch, which Ultralytics and timm read on import

    for name in names:
        print(f"{download(name)}: name it in params.yaml as {name}")
