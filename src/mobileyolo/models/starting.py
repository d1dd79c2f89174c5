"""Starting weights and teachers, as params.yaml names them: the section `init`, and two keys of `train`."""

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
    """Starting weights that both arms are offered; each takes what fits."""

    key: ClassVar[str] = "init"

    backbone: WeightsName
    detector: WeightsName


class Teaching(Section):
    """Who teaches the candidate or both arms, by distillation."""

    key: ClassVar[str] = "train"
    whole: ClassVar[bool] = False  # the rest is training/recipe.py's

    teacher: WeightsName  # or baseline
    dis: Weight


def weights_file(role: Role, name: str) -> Path | None:
    """The file that a parameter names for a role; None where it names none, or the baseline as teacher."""
    if name == NONE or (role == "teacher" and name == BASELINE):
        return None
    return WEIGHTS_DIR / name
