"""All of params.yaml: the sections of all wings, so that a wrong key or value is found before any stage runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mobileyolo.core.config import PARAMS_FILE, BackboneName, Data, Section, Seeds, validated
from mobileyolo.core.errors import ConfigError
from mobileyolo.core.files import IMAGENET, NONE, WEIGHTS_DIR, Role
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.dataset.folders import is_file, is_folder
from mobileyolo.dataset.parameters import Grouping, ValidationRules
from mobileyolo.digits import DigitsOptions
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.models.parameters import (
    NO_MODEL,
    WEIGHTS_KEYS,
    StartingWeights,
    Teaching,
    files_in,
    imagenet_advice,
    weights_path,
)
from mobileyolo.study.parameters import StudyOptions, check_recipes
from mobileyolo.training.parameters import TrainingRecipe
from mobileyolo.verdict.parameters import VerdictOptions


class Dataset(Grouping, Data):
    """The dataset's path, and which of its images belong together."""


class Train(Teaching, TrainingRecipe):
    """The recipe that both arms share, and the teacher."""


class Parameters(Section):
    """All keys of params.yaml."""

    backbone: BackboneName
    baseline: BackboneName
    seeds: Seeds
    data: Dataset
    digits: DigitsOptions
    validate_: Annotated[ValidationRules, Field(alias="validate")]  # pydantic's BaseModel has a method of that name
    init: StartingWeights
    train: Train
    evaluate: EvaluationOptions
    latency: LatencyOptions
    compare: VerdictOptions
    study: StudyOptions


def check_parameters(values: Mapping[str, Any], file: Path = PARAMS_FILE) -> Parameters:
    """Check all sections, and that the weights that they name exist.

    Raises:
        ConfigError: an unknown key, a wrong value, a recipe that can't be, two teachers, or missing weights.
    """
    parameters = validated(Parameters, values, file)
    check_recipes(parameters.study.recipes, values["train"], file)
    init, teacher = parameters.init, parameters.train.teacher
    if NONE not in (teacher, init.teacher):
        raise ConfigError(
            f"{file}: train.teacher: {teacher!r}: init.teacher is {init.teacher!r}; set one of both to none"
        )
    names: dict[Role, str] = {"backbone": init.backbone, "detector": init.detector, "teacher": init.teacher}
    for role, name in names.items():
        path = weights_path(name)
        if path is not None and (missing := _missing(role, path)):
            advice = (
                imagenet_advice(
                    parameters.backbone, parameters.baseline, *([teacher] if teacher not in NO_MODEL else [])
                )
                if path == WEIGHTS_DIR / IMAGENET
                else "put it there, give an absolute path, or download known weights: mobileyolo fetch <name>"
            )
            raise ConfigError(f"{file}: {WEIGHTS_KEYS[role]}: {name!r}: {missing} {path}; {advice}")
    return parameters


def _missing(role: Role, path: Path) -> str:
    """What is not there, of the weights that a parameter names; "" if they are."""
    if is_file(path):
        return ""
    if role != "backbone":
        return "no file"
    if not is_folder(path):
        return "no file or folder"
    return "" if files_in(path) else "no file in the folder"
