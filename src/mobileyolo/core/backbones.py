"""Names of the two arms and of the backbones that an arm can have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Arm = Literal["baseline", "candidate"]
ARMS: tuple[Arm, Arm] = ("baseline", "candidate")


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


def name_of(spec: MobileNet) -> str:
    """The one name of a MobileNetV1.

    >>> name_of(MobileNet(1.0)), name_of(MobileNet(0.75))
    ('mnv1_m', 'mnv1@0.75')
    """
    names = {each: name for name, each in BACKBONES.items()}
    return names.get(spec, f"{_ANY_WIDTH}{spec.width:g}")


def width_of(backbone: str) -> float | None:
    """Width multiplier alpha of a MobileNetV1 backbone, None for a stock one."""
    spec = spec_of(backbone)
    return spec.width if isinstance(spec, MobileNet) else None


def backbone_key(arm: Arm) -> str:
    """The parameter that names an arm's backbone."""
    return "baseline" if arm == "baseline" else "backbone"
