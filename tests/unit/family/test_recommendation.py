from __future__ import annotations

from typing import Any

import pytest

from mobileyolo.family.family import Family
from mobileyolo.family.recommendation import Recommendation
from tests.synthetic_family import COSTS, make_member


def recommended(*members: Any) -> Recommendation:
    return Family.of(members).recommendation


def test_it_is_the_cheapest_of_those_that_keep_up() -> None:
    found = recommended(
        make_member("mnv1_n", -0.1), make_member("mnv1_s", 0.02, half_width=0.01), make_member("mnv1_m", 0.2)
    )
    assert found.model is not None
    assert (found.reason, found.model.backbone, found.cost) == ("recommended", "mnv1_s", "latency_ms")
    assert [model.backbone for model in found.good] == ["mnv1_s", "mnv1_m"]


@pytest.mark.parametrize(
    ("delta", "half_width", "verdict", "reason"),
    [
        (0.05, 0.02, "better", "recommended"),
        (0.0, 0.005, "equivalent", "recommended"),
        (0.02, 0.02, "no worse", "recommended"),
        (0.0, 0.05, "inconclusive", "none is good"),
        (-0.02, 0.02, "no better", "none is good"),
        (-0.1, 0.02, "worse", "none is good"),
    ],
)
def test_the_verdict_decides_who_keeps_up(delta: float, half_width: float, verdict: str, reason: str) -> None:
    family = Family.of([make_member("mnv1_n", delta, half_width=half_width)])
    lead = family.models[1].lead
    assert lead is not None
    assert (lead.verdict, family.recommendation.reason) == (verdict, reason)


def test_the_interval_that_holds_for_all_decides() -> None:
    good = make_member("mnv1_n", 0.012, half_width=0.02)
    assert recommended(good).reason == "recommended"
    others = [make_member("mnv1_n", -0.1, imgsz=side, level=0.1) for side in (160, 192, 224, 256, 288)]
    assert recommended(good, *others).reason == "none is good"


def test_one_seed_recommends_nothing() -> None:
    found = recommended(make_member("mnv1_n", 0.3, seeds=1))
    assert (found.reason, found.model) == ("provisional", None)
    assert found.good


def test_few_scenes_recommend_nothing() -> None:
    guards = make_member().comparison.guards.model_copy(update={"few_scenes": "no verdict"})
    assert recommended(make_member("mnv1_n", 0.3, guards=guards)).reason == "few scenes"


def test_models_that_have_learnt_nothing_are_equivalent_and_not_recommended() -> None:
    member = make_member("mnv1_n", 0.0, level=0.01, half_width=0.001)
    untrained = {
        arm: getattr(member.comparison, arm).model_copy(update={"maturity": "untrained"})
        for arm in ("baseline", "candidate")
    }
    found = recommended(make_member("mnv1_n", 0.0, level=0.01, half_width=0.001, **untrained))
    assert (found.reason, [model.backbone for model in found.good]) == ("untrained", ["mnv1_n"])


def test_one_that_is_no_better_has_to_be_cheaper_than_the_baseline() -> None:
    assert recommended(make_member("mnv1_m", 0.0, half_width=0.005)).reason == "none is cheaper"
    assert recommended(make_member("mnv1_m", 0.1)).reason == "recommended"


def test_gflops_decide_where_a_latency_is_not_certain() -> None:
    members = [make_member("mnv1_n", 0.1, busy=True), make_member("mnv1_s", 0.1)]
    found = recommended(*members)
    assert found.model is not None
    assert (found.cost, found.model.backbone) == ("gflops", "mnv1_n")


def test_fewer_operations_are_no_reason_to_take_a_model_that_was_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COSTS, "mnv1_s", (2.69e6, 1.57, 5.45, 1.13, 0.96))
    found = recommended(make_member("mnv1_s", 0.0, half_width=0.005, busy=True))
    assert (found.reason, found.cost) == ("none is cheaper", "gflops")


def test_who_only_beats_a_weaker_baseline_is_not_recommended() -> None:
    found = recommended(make_member("mnv1_n", 0.1, imgsz=256, level=0.4), make_member("mnv1_n", -0.1, level=0.6))
    assert (found.reason, found.baseline.setup.imgsz) == ("none is good", 320)
    found = recommended(make_member("mnv1_n", 0.1, imgsz=256, level=0.4), make_member("mnv1_n", 0.1, level=0.6))
    assert found.model is not None
    assert found.model.setup.imgsz == 320
