"""Download starting weights by name into data/weights/.

This is the only command that downloads anything. A file that lies there already is kept. Known names:

- YOLO11's detectors, yolo11n.pt to yolo11x.pt, from Ultralytics: for init.detector and init.teacher;
- backbones with ImageNet weights, which go into data/weights/imagenet/: YOLO11's classifiers, yolo11n-cls.pt to
  yolo11x-cls.pt, from Ultralytics; Google's MobileNetV1, mobilenet_v1_<width>_<pixels>, from Keras Applications (width
  multiplier 0.25, 0.5, 0.75 or 1.0, trained at 128, 160, 192 or 224 pixels); and timm's, such as mobilenetv1_100.

MobileNetV1 needs an extra: pip install 'mobileyolo[imagenet]'. With one file for each arm's backbone,
init.backbone: imagenet starts both arms from ImageNet.
"""

from __future__ import annotations

import argparse

from mobileyolo.core import environment
from mobileyolo.core.console import say

SUMMARY = "download starting weights by name"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo fetch mobilenet_v1_0.25_224 yolo11n-cls.pt
  dvc exp run -S init.backbone=imagenet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names."""
    parser.add_argument(
        "names", nargs="+", metavar="name", help="weights such as yolo11n-cls.pt or mobilenet_v1_0.25_224"
    )


def run(names: list[str]) -> None:
    """Download them."""
    environment.allow_downloads()
    from mobileyolo.core.files import IMAGENET, WEIGHTS_DIR
    from mobileyolo.downloads import download  # after the switch, which Ultralytics and timm read on import

    for name in names:
        path = download(name)
        switch = "init.detector or init.teacher" if path.parent == WEIGHTS_DIR else f"init.backbone: {IMAGENET}"
        say(f"{path}: for {switch} in params.yaml")
