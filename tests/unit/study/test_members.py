from __future__ import annotations

import pytest

from mobileyolo.core.backbones import Arm
from mobileyolo.core.records import WeightsSource
from mobileyolo.family.members import Evidence, Setup
from mobileyolo.study.members import members_of
from mobileyolo.verdict.records import ArmSummary, Comparison
from tests.synthetic_family import ENGINE, make_member
from tests.synthetic_study import VALUES, make_course


def test_trials_that_are_done_are_members_in_their_order_with_what_is_at_hand() -> None:
    trials = make_course().trials
    results = {trial.name: make_member(trial.backbone).comparison for trial in reversed(trials[:2])}
    evidence = {trials[0].name: Evidence(ENGINE), trials[2].name: Evidence(ENGINE)}
    members = list(members_of(trials, results, evidence))
    assert [member.trial for member in members] == [trial.name for trial in trials[:2]]
    assert [member.evidence for member in members] == [Evidence(ENGINE), None]
    assert members[0].comparison is results[trials[0].name]
    assert members[0].options.margin == VALUES["compare"]["margin"]


@pytest.mark.parametrize(
    ("teacher", "taught", "baseline"),
    [("yolo11m", "both", "yolo11m"), ("yolo11m", "candidate", "none"), ("baseline", "both", "none")],
)
def test_each_arm_has_the_start_and_the_teacher_that_it_was_trained_with(
    monkeypatch: pytest.MonkeyPatch, teacher: str, taught: str, baseline: str
) -> None:
    monkeypatch.setitem(VALUES["train"], "taught", taught)
    (trial,) = make_course(
        backbones=["mnv1_n"], imgsz=[96], starts=["init.backbone=imagenet"], teachers=[teacher]
    ).trials
    comparison = started(make_member().comparison, "baseline", "candidate")
    (member,) = members_of([trial], {trial.name: comparison}, {})
    assert member.baseline == Setup(96, "imagenet", baseline)
    assert member.candidate == Setup(96, "imagenet", teacher)


def test_an_arm_that_took_nothing_of_what_was_offered_starts_from_nothing() -> None:
    (trial,) = make_course(backbones=["mnv1_n"], imgsz=[96], starts=["init.backbone=imagenet"]).trials
    (member,) = members_of([trial], {trial.name: started(make_member().comparison, "candidate")}, {})
    assert (member.baseline.start, member.candidate.start) == ("none", "imagenet")


def started(comparison: Comparison, *arms: Arm) -> Comparison:
    """The same, where these arms have taken weights."""
    update: dict[str, ArmSummary] = {}
    for arm in arms:
        summary: ArmSummary = getattr(comparison, arm)
        sources = {"backbone": WeightsSource(name="imagenet.h5", digest="0" * 64)}
        start = summary.start.model_copy(update={"sources": sources, "tensors": 100, "values": 200_000})
        update[arm] = summary.model_copy(update={"start": start})
    return comparison.model_copy(update=update)
