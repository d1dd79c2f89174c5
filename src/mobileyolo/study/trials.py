"""The grid of a study -> its trials: the parameters of each, its name, and what it trains (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from mobileyolo.core.backbones import TEACHER, Trainee
from mobileyolo.core.config import PARAMS_FILE
from mobileyolo.core.errors import ConfigError
from mobileyolo.core.files import BASELINE, NONE, digest_of
from mobileyolo.models.parameters import NO_MODEL
from mobileyolo.study.parameters import StudyOptions, start_values


@dataclass(frozen=True)
class Training:
    """What is trained once, whichever trials want it.

    Attributes:
        imgsz: side of the square input in pixels.
        start: weights from elsewhere, of init.backbone and of init.detector.
        teacher: a backbone, a file, `baseline` or `none`.
        recipe: what sets it apart from the study's other recipes, or `none`.
    """

    arm: Trainee
    backbone: str
    seed: int
    imgsz: int
    start: tuple[str, str]
    teacher: str
    recipe: str


@dataclass(frozen=True)
class Trial:
    """One comparison of a candidate with the baseline on equal terms, with all seeds.

    Attributes:
        values: all of params.yaml as it is for this trial, without the section study.
        tuned: keys of the section train in which the study's recipes differ; empty where it has none.
    """

    values: Mapping[str, Any]
    tuned: tuple[str, ...] = ()

    @property
    def backbone(self) -> str:
        """The candidate."""
        name: str = self.values["backbone"]
        return name

    @property
    def imgsz(self) -> int:
        """Side of the square input in pixels."""
        side: int = self.values["train"]["imgsz"]
        return side

    @property
    def epochs(self) -> int:
        """Of each training."""
        epochs: int = self.values["train"]["epochs"]
        return epochs

    @property
    def start(self) -> str:
        """The weights from elsewhere that both arms can start from, or `none`."""
        init = self.values["init"]
        return ", ".join(name for name in (init["backbone"], init["detector"]) if name != NONE) or NONE

    @property
    def teacher(self) -> str:
        """A backbone, a file, `baseline` or `none`."""
        named = [name for name in (self.values["train"]["teacher"], self.values["init"]["teacher"]) if name != NONE]
        return named[0] if named else NONE

    @property
    def recipe(self) -> str:
        """What sets its recipe apart from the study's other ones, such as `lr0 0.002`, or `none`."""
        return ", ".join(f"{key} {_as_yaml(self.values['train'][key])}" for key in self.tuned) or NONE

    @property
    def terms(self) -> Mapping[str, Any]:
        """All values but those in which recipes differ: equal for trials between which an arm's recipe is chosen."""
        train = {key: value for key, value in self.values["train"].items() if key not in self.tuned}
        return {**self.values, "train": train}

    @property
    def name(self) -> str:
        """The experiment's name: the same for equal parameters, and another one for all others."""
        backbone = self.backbone.replace("@", "-")  # which has a meaning in names of commits
        return f"study-{backbone}-{self.imgsz}-{digest_of(self.values)[:8]}"

    def trainings(self) -> Iterator[Training]:
        """All that it trains: the teacher if one is trained, then both arms seed by seed."""
        train, init, seeds = self.values["train"], self.values["init"], self.values["seeds"]
        terms = (self.imgsz, (init["backbone"], init["detector"]))
        if train["teacher"] not in NO_MODEL:
            yield Training(TEACHER, train["teacher"], seeds[0], *terms, NONE, self.recipe)
        both = train["taught"] == "both" and self.teacher != BASELINE
        for seed in seeds:
            taught = self.teacher if both else NONE
            yield Training("baseline", self.values["baseline"], seed, *terms, taught, self.recipe)
            yield Training("candidate", self.backbone, seed, *terms, self.teacher, self.recipe)


def _as_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def trials_of(options: StudyOptions, values: Mapping[str, Any]) -> list[Trial]:
    """The trials, those on equal terms one after the other, and of these the recipes of one candidate.

    Args:
        options: the grid.
        values: all of params.yaml.

    Raises:
        ConfigError: a candidate is the baseline.
    """
    if values["baseline"] in options.backbones:
        raise ConfigError(
            f"{PARAMS_FILE}: study.backbones: {values['baseline']!r} is the baseline, which each trial trains anyway; "
            "leave it out"
        )
    starts = [start_values(start) for start in options.starts] or [{}]
    teachers = [{"teacher": teacher} for teacher in options.teachers] or [{}]
    sides = [{"imgsz": side} for side in options.imgsz] or [{}]
    recipes = options.recipes or ({},)
    tuned = tuple(dict.fromkeys(key for recipe in recipes for key in recipe))
    common = {key: value for key, value in values.items() if key != options.key} | {"seeds": list(options.seeds)}
    return [
        Trial(
            {
                **common,
                "backbone": backbone,
                "train": {**values["train"], **side, **teacher, **recipe},
                # A study of teachers sets aside the file that teaches elsewhere.
                "init": {**values["init"], **start, **({TEACHER: NONE} if teacher else {})},
            },
            tuned,
        )
        for teacher, start, side, backbone, recipe in product(teachers, starts, sides, options.backbones, recipes)
    ]


def study_name(trials: Iterable[Trial], commit: str) -> str:
    """The study's name: the same for the same trials on the same commit."""
    return f"study-{commit[:8]}-{digest_of(sorted(trial.name for trial in trials))[:8]}"


def distinct_trainings(trials: list[Trial], done: list[Trial]) -> list[Training]:
    """What the trials train that those which are done have not trained, each one once."""
    trained = {training for trial in done for training in trial.trainings()}
    wanted = dict.fromkeys(training for trial in trials for training in trial.trainings())
    return [training for training in wanted if training not in trained]
