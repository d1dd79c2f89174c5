from __future__ import annotations

import pytest

from mobileyolo.family.members import Evidence, Setup
from mobileyolo.study.members import members_of
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
    (member,) = members_of([trial], {trial.name: make_member().comparison}, {})
    assert member.baseline == Setup(96, "imagenet", baseline)
    assert member.candidate == Setup(96, "imagenet", teacher)
