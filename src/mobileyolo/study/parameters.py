"""The section `study` of params.yaml: the grid. No stage reads it, so that a change of it runs nothing again."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from mobileyolo.core.config import BackboneName, ImageSize, Section, Seeds
from mobileyolo.core.files import NONE
from mobileyolo.models.parameters import TeacherName

_START = re.compile(r"(init\.(?:backbone|detector))=(.+)")


def _distinct(values: object) -> object:
    if not isinstance(values, list):
        raise ValueError(f"input should be a list, such as [{values}]")  # noqa: TRY004 -- pydantic shows a ValueError
    for place, value in enumerate(values):
        if value in values[:place]:
            raise ValueError(f"{value!r} occurs twice")
    return tuple(values)


def _known_start(text: object) -> object:
    if text != NONE and not (isinstance(text, str) and _START.fullmatch(text)):
        raise ValueError(f"write {NONE}, init.backbone=<weights> or init.detector=<weights>")
    return text


Start = Annotated[str, BeforeValidator(_known_start)]


class Resources(Section):
    """What each trial gets on a cluster, and how often its checkpoints are copied to DVC's remote."""

    cpus: Annotated[int, Field(ge=1)]
    gpus: Annotated[float, Field(ge=0, le=1)]
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
    resources: Resources


def start_values(start: str) -> dict[str, str]:
    """The weights that a start names, by key of the section init; it uses no others.

    >>> start_values("init.backbone=imagenet")
    {'backbone': 'imagenet', 'detector': 'none'}
    """
    values = {"backbone": NONE, "detector": NONE}
    if match := _START.fullmatch(start):
        values[match[1].removeprefix("init.")] = match[2]
    return values
