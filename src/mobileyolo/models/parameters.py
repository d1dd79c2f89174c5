"""The pretrained weights and the teacher that params.yaml names: the section `init`, and two keys of `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from mobileyolo.core.config import Section, Weight
from mobileyolo.core.files import BASELINE, NONE, WEIGHTS_DIR, Role

# The parameter that names the weights for each role.
WEIGHTS_KEYS: dict[Role, str] = {"backbone": "init.backbone", "detector": "init.detector", "teacher": "train.teacher"}

WeightsName = Annotated[str, Field(min_length=1)]  # none, a file in WEIGHTS_DIR, or an absolute path


class StartingWeights(Section):
    """Pretrained weights for both arms; each takes the tensors that fit."""

    key: ClassVar[str] = "init"

    backbone: WeightsName
    detector: WeightsName


class Teaching(Section):
    """The teacher of the candidate or of both arms (distillation)."""

    key: ClassVar[str] = "train"
    whole: ClassVar[bool] = False  # the other keys are in training/parameters.py

    teacher: WeightsName  # or `baseline`
    dis: Weight


def weights_file(role: Role, name: str) -> Path | None:
    """The file that a parameter names; None for `none`, and for the baseline as teacher."""
    if name == NONE or (role == "teacher" and name == BASELINE):
        return None
    return WEIGHTS_DIR / name
