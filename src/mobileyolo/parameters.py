"""All of params.yaml: the sections of all wings, so that a wrong key or value is found before any stage runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mobileyolo.core.backbones import width_of
from mobileyolo.core.config import PARAMS_FILE, BackboneName, Data, Section, Seeds, validated
from mobileyolo.core.errors import ConfigError
from mobileyolo.core.files import NONE, WEIGHTS_DIR, Role
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.dataset.folders import is_file
from mobileyolo.dataset.parameters import Grouping, ValidationRules
from mobileyolo.digits import DigitsOptions
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.models.parameters import WEIGHTS_KEYS, StartingWeights, Teaching, weights_file
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

    @model_validator(mode="after")
    def _somebody_starts_from_the_backbone(self) -> Self:
        if self.init.backbone != NONE and not any(width_of(name) for name in (self.backbone, self.baseline)):
            raise ValueError(
                f"init.backbone: {self.init.backbone!r}: only MobileNetV1 starts from it, and neither backbone "
                f"{self.backbone} nor baseline {self.baseline} is one; set it to {NONE}"
            )
        return self


def check_parameters(values: Mapping[str, Any], file: Path = PARAMS_FILE) -> Parameters:
    """Check all sections, and that the weights that they name exist.

    Raises:
        ConfigError: an unknown key, a wrong value, or missing weights.
    """
    parameters = validated(Parameters, values, file)
    init, teacher = parameters.init, parameters.train.teacher
    names: dict[Role, str] = {"backbone": init.backbone, "detector": init.detector, "teacher": teacher}
    for role, name in names.items():
        path = weights_file(role, name)
        if path is not None and not is_file(path):
            raise ConfigError(
                f"{file}: {WEIGHTS_KEYS[role]}: {name!r}: no file {path}; put the file there, give an absolute path, "
                f"or download known weights into {WEIGHTS_DIR}: mobileyolo fetch <name>"
            )
    return parameters
