"""Names of the two arms, of their teacher, and of the backbones that each can have."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Arm = Literal["baseline", "candidate"]
ARMS: tuple[Arm, Arm] = ("baseline", "candidate")

# All that is trained. The teacher is built, trained and measured as an arm is, once for all seeds, and not compared.
Trainee = Literal["baseline", "candidate", "teacher"]
TEACHER: Literal["teacher"] = "teacher"
TRAINEES: tuple[Trainee, ...] = (*ARMS, TEACHER)


@dataclass(frozen=True)
class MobileNet:
    """A MobileNetV1 backbone."""

    width: float  # the paper's width multiplier alpha


@dataclass(frozen=True)
class Stock:
    """YOLO11's own backbone at one of its scales."""

    scale: str


BackboneSpec = MobileNet | Stock

# By the name that params.yaml has for it. Any other width of MobileNetV1 is called mnv1@<width>, such as mnv1@0.75;
# elsewhere, `backbone` is always a name that `spec_of` knows.
BACKBONES: dict[str, BackboneSpec] = {
    "mnv1_n": MobileNet(0.25),
    "mnv1_s": MobileNet(0.5),
    "mnv1_m": MobileNet(1.0),
    **{f"yolo11{scale}": Stock(scale) for scale in "nsmlx"},
}


MAX_WIDTH = 2.0  # of MobileNetV1; twice the channels of the paper's network
_ANY_WIDTH = "mnv1@"


def spec_of(backbone: str) -> BackboneSpec:
    """What a name stands for.

    >>> spec_of("mnv1_n"), spec_of("mnv1@0.75"), spec_of("yolo11s")
    (MobileNet(width=0.25), MobileNet(width=0.75), Stock(scale='s'))

    Raises:
        ValueError: it is no backbone's name, or another spelling of one.
    """
    if backbone in BACKBONES:
        return BACKBONES[backbone]
    if not backbone.startswith(_ANY_WIDTH):
        raise ValueError(f"unknown backbone; choose one of {', '.join(BACKBONES)}, or {_ANY_WIDTH}<width>")
    try:
        width = float(backbone.removeprefix(_ANY_WIDTH))
    except ValueError:
        width = math.nan
    if not 0 < width <= MAX_WIDTH:
        raise ValueError(f"the width multiplier behind {_ANY_WIDTH} should be a number in (0, {MAX_WIDTH:g}]")
    spec = MobileNet(width)
    if name_of(spec) != backbone:  # one name for each, because runs are found by it
        raise ValueError(f"write {name_of(spec)}")
    return spec


def name_of(spec: BackboneSpec) -> str:
    """The one name of a backbone.

    >>> name_of(MobileNet(1.0)), name_of(MobileNet(0.75)), name_of(Stock("s"))
    ('mnv1_m', 'mnv1@0.75', 'yolo11s')
    """
    names = {each: name for name, each in BACKBONES.items()}
    return names[spec] if isinstance(spec, Stock) else names.get(spec, f"{_ANY_WIDTH}{spec.width:g}")


def width_of(backbone: str) -> float | None:
    """Width multiplier alpha of a MobileNetV1 backbone, None for a stock one."""
    spec = spec_of(backbone)
    return spec.width if isinstance(spec, MobileNet) else None


def backbone_key(arm: Trainee) -> str:
    """The parameter that names the backbone; `train.teacher` can also say that no model is trained for it."""
    return {"baseline": "baseline", "candidate": "backbone", "teacher": "train.teacher"}[arm]


# By width multiplier: names of MobileNetV1 with ImageNet weights (Google's, by Keras; the last one timm's).
IMAGENET_WIDTHS = {
    **{width: f"mobilenet_v1_{width}_224" for width in (0.25, 0.5, 0.75, 1.0)},
    1.25: "mobilenetv1_125",
}
# Files that hold ImageNet weights, by the names that Ultralytics, Keras and timm give them.
_IMAGENET_FILES = re.compile(
    r"yolo11[nsmlx]-cls\.pt|mobilenet_v1_[\d.]+_\d+|mobilenet_\d_\d_\d+_tf(_no_top)?\.h5|mobilenetv1_\d+\w*"
)


def imagenet_weights_of(backbone: str) -> str | None:
    """The name by which `mobileyolo fetch` knows ImageNet weights of a backbone; None if there are none.

    >>> [imagenet_weights_of(backbone) for backbone in ("yolo11s", "mnv1_m", "mnv1@0.3")]
    ['yolo11s-cls.pt', 'mobilenet_v1_1.0_224', None]
    """
    width = width_of(backbone)
    return f"{backbone}-cls.pt" if width is None else IMAGENET_WIDTHS.get(width)


def is_imagenet(file: str) -> bool:
    """Is a file of this name known to hold ImageNet weights?

    >>> is_imagenet("mobilenet_2_5_224_tf_no_top.h5"), is_imagenet("mine.pt")
    (True, False)
    """
    return _IMAGENET_FILES.fullmatch(file) is not None
