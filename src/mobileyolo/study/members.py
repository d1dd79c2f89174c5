"""A study's trials and their results -> the members of a family (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mobileyolo.core.files import NONE
from mobileyolo.family.members import Evidence, Member, Setup
from mobileyolo.study.trials import Trial
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import ArmSummary, Comparison


def members_of(
    trials: Sequence[Trial], results: Mapping[str, Comparison], evidence: Mapping[str, Evidence]
) -> Iterator[Member]:
    """Those that are done, in the order of the trials.

    Args:
        trials: of the study.
        results: by name of those that are done.
        evidence: by name, as far as it is at hand.
    """
    for trial in trials:
        if comparison := results.get(trial.name):
            baseline = next(training for training in trial.trainings() if training.arm == "baseline")
            yield Member(
                trial=trial.name,
                baseline=Setup(trial.imgsz, _start(trial, comparison.baseline), baseline.teacher),
                candidate=Setup(trial.imgsz, _start(trial, comparison.candidate), trial.teacher),
                options=VerdictOptions.model_validate(trial.values[VerdictOptions.key]),
                comparison=comparison,
                evidence=evidence.get(trial.name),
            )


def _start(trial: Trial, arm: ArmSummary) -> str:
    """What was offered, or `none` where the arm took nothing of it: a folder need not have a file for each arm."""
    return trial.start if arm.start.sources else NONE
