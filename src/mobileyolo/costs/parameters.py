"""The section `latency` of params.yaml: how forward passes are timed."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from mobileyolo.core.config import Section


class LatencyOptions(Section):
    """How the latency of both arms is measured."""

    key: ClassVar[str] = "latency"

    rounds: Annotated[int, Field(ge=6)]  # with 5, no interval of a median would be sure to 95 %
    threads: Annotated[int, Field(ge=1)]
