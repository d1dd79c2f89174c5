from __future__ import annotations

from collections.abc import Mapping

import pytest

from mobileyolo.core.errors import UserError
from mobileyolo.family.members import Evidence, Setup
from mobileyolo.study.engines import DvcEngine
from mobileyolo.study.members import members_of
from mobileyolo.verdict.records import Comparison
from tests.synthetic_family import ENGINE, make_evidence, make_member
from tests.synthetic_study import VALUES, make_course

EVIDENCE = make_evidence(0, ENGINE, 1, 0.8)
KNOWN: Mapping[str, Evidence] = {"mnv1_n": EVIDENCE}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> DvcEngine:
    """One that has the evidence of one backbone."""

    def evidence(_self: DvcEngine, _name: str, comparison: Comparison) -> Evidence:
        if comparison.candidate.backbone not in KNOWN:
            raise UserError("not in the cache")
        return KNOWN[comparison.candidate.backbone]

    monkeypatch.setattr(DvcEngine, "evidence", evidence)
    return DvcEngine(VALUES)


def test_trials_that_are_done_are_members_in_their_order_with_what_is_at_hand(engine: DvcEngine) -> None:
    trials = make_course().trials
    results = {trial.name: make_member(trial.backbone).comparison for trial in reversed(trials[:2])}
    members = members_of(trials, results, engine)
    assert [member.trial for member in members] == [trial.name for trial in trials[:2]]
    assert [member.evidence for member in members] == [EVIDENCE, None]
    assert members[0].comparison is results[trials[0].name]
    assert members[0].options.margin == VALUES["compare"]["margin"]


@pytest.mark.parametrize(
    ("teacher", "taught", "baseline"),
    [("yolo11m", "both", "yolo11m"), ("yolo11m", "candidate", "none"), ("baseline", "both", "none")],
)
def test_each_arm_has_the_start_and_the_teacher_that_it_was_trained_with(
    engine: DvcEngine, monkeypatch: pytest.MonkeyPatch, teacher: str, taught: str, baseline: str
) -> None:
    monkeypatch.setitem(VALUES["train"], "taught", taught)
    (trial,) = make_course(
        backbones=["mnv1_n"], imgsz=[96], starts=["init.backbone=imagenet"], teachers=[teacher]
    ).trials
    (member,) = members_of([trial], {trial.name: make_member().comparison}, engine)
    assert member.baseline == Setup(96, "imagenet", baseline)
    assert member.candidate == Setup(96, "imagenet", teacher)
