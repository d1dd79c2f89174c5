"""Names of the two arms and of the backbones that an arm can have."""

from __future__ import annotations

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

# By the name that params.yaml has for it; elsewhere, `backbone` is always such a name.
BACKBONES: dict[str, BackboneSpec] = {
    "mnv1_n": MobileNet(0.25),
    "mnv1_s": MobileNet(0.5),
    "mnv1_m": MobileNet(1.0),
    **{f"yolo11{scale}": Stock(scale) for scale in "nsmlx"},
}


def width_of(backbone: str) -> float | None:
    """Width multiplier alpha of a MobileNetV1 backbone, None for a stock one."""
    spec = BACKBONES[backbone]
    return spec.width if isinstance(spec, MobileNet) else None


def backbone_key(arm: Arm) -> str:
    """The parameter that names an arm's backbone."""
    return "baseline" if arm == "baseline" else "backbone"
