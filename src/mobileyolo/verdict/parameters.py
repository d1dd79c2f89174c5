"""The section `compare` of params.yaml: how sure a verdict has to be."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mobileyolo.core.config import Section, Seed, Share


class VerdictOptions(Section):
    """How sure a verdict has to be."""

    key: ClassVar[str] = "compare"

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed_sd: Literal["auto"] | Share
    margin: Share
    seed: Seed
