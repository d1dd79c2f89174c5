"""What a family is made of: the results of a study's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mobileyolo.core.backbones import Arm
from mobileyolo.core.results import Statistics
from mobileyolo.verdict.bootstrap import Scenes
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison


@dataclass(frozen=True)
class Setup:
    """What a model was trained with, beside what all of a study have in common.

    Attributes:
        imgsz: side of the square input in pixels.
        start: the weights from elsewhere that it takes, as they are named in params.yaml, or `none`.
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
class Tried:
    """A recipe that an arm was trained with.

    Attributes:
        recipe: what sets it apart, such as `lr0 0.002`.
        trial: that trained it.
        val_map50_95: on val, mean over the seeds.
    """

    recipe: str
    trial: str
    val_map50_95: float


@dataclass(frozen=True)
class Choice:
    """The recipes that an arm was trained with, in the order of the study."""

    tried: tuple[Tried, ...]

    @property
    def place(self) -> int:
        """Of the chosen one in `tried`: the best on val, of equally good ones the first."""
        return max(range(len(self.tried)), key=lambda place: self.tried[place].val_map50_95)

    @property
    def chosen(self) -> Tried:
        """The recipe whose models are judged."""
        return self.tried[self.place]


@dataclass(frozen=True)
class Member:
    """A trial with its result; in a study of recipes, a candidate and its baseline, each at its best.

    Attributes:
        trial: its name; where recipes were tried, that of the candidate's chosen one.
        baseline: what the baseline was trained with.
        candidate: likewise.
        options: how sure a verdict has to be.
        comparison: of these two.
        evidence: None where it is not at hand.
        choices: each arm's recipes; empty where the study has one recipe.
    """

    trial: str
    baseline: Setup
    candidate: Setup
    options: VerdictOptions
    comparison: Comparison
    evidence: Evidence | None = None
    choices: Mapping[Arm, Choice] = field(default_factory=dict)


@dataclass(frozen=True)
class Unjudged:
    """A candidate of a study of recipes that is in no table yet.

    Attributes:
        backbone: its name.
        setup: what it is trained with.
        missing: trials without which no recipe can be chosen; empty where it is chosen.
        error: why the chosen models can't be compared; "" where none is chosen yet.
    """

    backbone: str
    setup: Setup
    missing: tuple[str, ...]
    error: str = ""
