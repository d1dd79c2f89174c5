"""What a family is made of: the results of a study's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mobileyolo.core.results import Statistics
from mobileyolo.verdict.bootstrap import Scenes
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison


@dataclass(frozen=True)
class Setup:
    """What a model was trained with, beside what all of a study have in common.

    Attributes:
        imgsz: side of the square input in pixels.
        start: the weights from elsewhere that it could start from, or `none`.
        teacher: a backbone, a file, `baseline` or `none`.
    """

    imgsz: int
    start: str
    teacher: str


@dataclass(frozen=True)
class Detections:
    """What a trial's candidate has found on the held-out images.

    Attributes:
        statistics: in the order of the comparison's seeds.
        scenes: number of the scene of each image, 0, 1, 2 ..., shape (images,).
    """

    statistics: Sequence[Statistics]
    scenes: Scenes


@dataclass(frozen=True)
class Evidence:
    """What a trial keeps beside its comparison.

    Attributes:
        engine: versions of the libraries, kind of device, threads, instruction set, loader workers.
        candidate: None where it was not asked for.
    """

    engine: Mapping[str, str]
    candidate: Detections | None = None


@dataclass(frozen=True)
class Member:
    """A trial with its result.

    Attributes:
        trial: its name.
        baseline: what the baseline was trained with.
        candidate: likewise.
        options: how sure a verdict has to be.
        comparison: of these two.
        evidence: None where it is not at hand.
    """

    trial: str
    baseline: Setup
    candidate: Setup
    options: VerdictOptions
    comparison: Comparison
    evidence: Evidence | None = None
