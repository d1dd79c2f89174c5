"""Download starting weights by name into data/weights/.

This is the only command that downloads anything. A file that lies there already is kept. Known names:

- yolo11n.pt to yolo11x.pt: YOLO11's checkpoints, from Ultralytics. Name them in params.yaml as init.detector or
  train.teacher.
- mobilenet_v1_<width>_<pixels>: Google's MobileNetV1 with ImageNet weights, from Keras Applications; width multiplier
  0.25, 0.5, 0.75 or 1.0, trained at 128, 160, 192 or 224 pixels. Name them as init.backbone.
- mobilenetv1_100 and others that timm has: its own MobileNetV1 with ImageNet weights. Name them as init.backbone.

Weights of MobileNetV1 need an extra: pip install 'mobileyolo[imagenet]'.
"""

from __future__ import annotations

import argparse

from mobileyolo.core import environment
from mobileyolo.core.console import say

SUMMARY = "download starting weights by name"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo fetch yolo11n.pt mobilenet_v1_0.25_224
  dvc exp run -S backbone=mnv1_n -S init.detector=yolo11n.pt -S init.backbone=mobilenet_v1_0.25_224
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names."""
    parser.add_argument("names", nargs="+", metavar="name", help="weights such as yolo11n.pt or mobilenet_v1_0.25_224")


def run(names: list[str]) -> None:
    """Download them."""
    environment.allow_downloads()
    from mobileyolo.downloads import download  # after the switch, which Ultralytics and timm read on import

    for name in names:
        say(f"{download(name)}: name it in params.yaml as {name}")
