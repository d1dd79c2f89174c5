"""A study's trials and their results -> the members of a family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mobileyolo.core.errors import UserError
from mobileyolo.family.members import Evidence, Member, Setup
from mobileyolo.study.engines import Engine
from mobileyolo.study.trials import Trial
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison


def members_of(trials: Sequence[Trial], results: Mapping[str, Comparison], engine: Engine) -> list[Member]:
    """Those that are done, in the order of the trials."""
    return list(_members(trials, results, engine))


def _members(trials: Sequence[Trial], results: Mapping[str, Comparison], engine: Engine) -> Iterator[Member]:
    for trial in trials:
        if comparison := results.get(trial.name):
            baseline = next(training for training in trial.trainings() if training.arm == "baseline")
            yield Member(
                trial=trial.name,
                baseline=Setup(trial.imgsz, trial.start, baseline.teacher),
                candidate=Setup(trial.imgsz, trial.start, trial.teacher),
                options=VerdictOptions.model_validate(trial.values[VerdictOptions.key]),
                comparison=comparison,
                evidence=_evidence(trial.name, comparison, engine),
            )


def _evidence(name: str, comparison: Comparison, engine: Engine) -> Evidence | None:
    try:
        return engine.evidence(name, comparison)
    except UserError:
        return None
