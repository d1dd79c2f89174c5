"""The section `study` of params.yaml: the grid. No stage reads it, so that a change of it runs nothing again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from mobileyolo.core.config import BackboneName, ImageSize, Section, Seeds, validated
from mobileyolo.core.errors import ConfigError
from mobileyolo.core.files import NONE
from mobileyolo.models.parameters import TeacherName
from mobileyolo.training.parameters import TrainingRecipe

_START = re.compile(r"(init\.(?:backbone|detector))=(.+)")
# Keys of the section train that are the same for all recipes of a trial, and where they are set.
_ELSEWHERE = {
    "epochs": "train.epochs",
    "imgsz": "study.imgsz",
    "teacher": "study.teachers",
    "taught": "train.taught",
    "dis": "train.dis",
}
RECIPE_KEYS = tuple(name for name in TrainingRecipe.model_fields if name not in _ELSEWHERE)


def _distinct(values: object) -> object:
    if not isinstance(values, list):
        raise ValueError(f"input should be a list, such as [{values}]")  # noqa: TRY004 -- pydantic shows a ValueError
    for place, value in enumerate(values):
        if value in values[:place]:
            raise ValueError(f"{value!r} occurs twice")
    return tuple(values)


def _of_one_gpu_or_whole(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError("input should be a part of one GPU, such as 0.5, or a whole number of them")
    return gpus


def _known_start(text: object) -> object:
    if text != NONE and not (isinstance(text, str) and _START.fullmatch(text)):
        raise ValueError(f"write {NONE}, init.backbone=<weights> or init.detector=<weights>")
    return text


def _several(recipes: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
    if len(recipes) == 1:
        raise ValueError("one recipe leaves no choice; name two or more, or put its values into the section train")
    return recipes


def _known_recipe(recipe: object) -> object:
    if not isinstance(recipe, dict):
        raise ValueError("write keys of the section train with their values, such as {lr0: 0.001}; {} changes nothing")  # noqa: TRY004 -- pydantic shows a ValueError
    return recipe


Start = Annotated[str, BeforeValidator(_known_start)]
Recipe = Annotated[dict[str, Any], BeforeValidator(_known_recipe)]


class Resources(Section):
    """What each trial gets on a cluster, and how often its checkpoints are copied to DVC's remote."""

    cpus: Annotated[int, Field(ge=1)]
    gpus: Annotated[float, Field(ge=0), AfterValidator(_of_one_gpu_or_whole)]
    memory: Annotated[float, Field(gt=0)]  # GB
    checkpoint: Annotated[float, Field(ge=0)]  # minutes


class StudyOptions(Section):
    """The values that are combined; where a list is empty, the value elsewhere in params.yaml is the only one."""

    key: ClassVar[str] = "study"

    backbones: Annotated[tuple[BackboneName, ...], BeforeValidator(_distinct), Field(min_length=1)]
    imgsz: Annotated[tuple[ImageSize, ...], BeforeValidator(_distinct)]
    seeds: Seeds
    starts: Annotated[tuple[Start, ...], BeforeValidator(_distinct)]
    teachers: Annotated[tuple[TeacherName, ...], BeforeValidator(_distinct)]
    recipes: Annotated[tuple[Recipe, ...], BeforeValidator(_distinct), AfterValidator(_several)]
    resources: Resources


def check_recipes(recipes: Sequence[Mapping[str, Any]], train: Mapping[str, Any], file: Path) -> None:
    """Check the recipes that each arm chooses from.

    Args:
        recipes: of the section study.
        train: the section train, whose values they replace.
        file: for messages.

    Raises:
        ConfigError: a key that is unknown, is set elsewhere or has no effect, a wrong value, or the same recipe twice.
    """
    common = {name: train[name] for name in TrainingRecipe.model_fields}
    whole = [{**common, **recipe} for recipe in recipes]
    for place, (recipe, values) in enumerate(zip(recipes, whole, strict=True)):
        key = f"{file}: {StudyOptions.key}.recipes.{place}"
        for name in (name for name in recipe if name in _ELSEWHERE):
            raise ConfigError(
                f"{key}.{name}: {recipe[name]!r}: it is the same for all recipes: set {_ELSEWHERE[name]}; a recipe may "
                f"have {', '.join(RECIPE_KEYS)}"
            )
        validated(TrainingRecipe, values, file, f"{StudyOptions.key}.recipes.{place}")
        if "lr0" in recipe and values["optimizer"] == "auto":  # Ultralytics (8.4) ignores it then
            raise ConfigError(
                f"{key}.lr0: {recipe['lr0']!r}: has no effect with the optimizer auto, which chooses its own; name the "
                f"optimizer as well, such as {{optimizer: AdamW, lr0: {recipe['lr0']}}}"
            )
        if values in whole[:place]:
            raise ConfigError(
                f"{key}: {recipe}: the same recipe as study.recipes.{whole.index(values)}, with the values of train"
            )


def start_values(start: str) -> dict[str, str]:
    """The weights that a start names, by key of the section init; it uses no others.

    >>> start_values("init.backbone=imagenet")
    {'backbone': 'imagenet', 'detector': 'none'}
    """
    values = {"backbone": NONE, "detector": NONE}
    if match := _START.fullmatch(start):
        values[match[1].removeprefix("init.")] = match[2]
    return values
