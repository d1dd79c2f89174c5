"""The section `evaluate` of params.yaml: how a trained model is measured."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mobileyolo.core.config import Section, Share


class EvaluationOptions(Section):
    """How trained models are measured."""

    key: ClassVar[str] = "evaluate"

    split: Literal["auto", "test", "val"]
    batch: Annotated[int, Field(ge=1)]
    conf: Share
    iou: Share
    max_det: Annotated[int, Field(ge=1)]
