from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mobileyolo.core.records import History
from mobileyolo.family.family import Family
from mobileyolo.family.members import Member, Setup
from mobileyolo.family.models import Lead, lead_over_baseline
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.records import DECIDING_METRIC, Verdict
from tests.synthetic_family import OPTIONS, make_member
from tests.synthetic_results import make_arms, make_circumstances, make_evidence


def lead_of(family: Family, number: int) -> Lead:
    lead = family.models[number - 1].lead
    assert lead is not None
    return lead


def test_each_baseline_is_one_row_above_the_candidates_on_equal_terms_with_it() -> None:
    members = [
        make_member("mnv1_n"),
        make_member("mnv1_n", imgsz=256),
        make_member("mnv1_s"),
        make_member("mnv1_n", teacher="yolo11m"),  # of the candidate alone: the baseline is the same
    ]
    family = Family.of(members)
    rows = [(model.number, model.backbone, model.setup.imgsz, model.setup.teacher) for model in family.models]
    assert rows == [
        (1, "yolo11n", 320, "none"), (2, "mnv1_n", 320, "none"), (3, "mnv1_s", 320, "none"),
        (4, "mnv1_n", 320, "yolo11m"), (5, "yolo11n", 256, "none"), (6, "mnv1_n", 256, "none"),
    ]  # fmt: skip
    assert [model.trial for model in family.groups[1].models] == ["", members[1].trial]
    assert [model.width for model in family.models] == [None, 0.25, 0.5, 0.25, None, 0.25]


def test_one_candidate_has_the_interval_of_its_comparison() -> None:
    member = make_member(delta=-0.1, half_width=0.02)
    family = Family.of([member])
    metric = member.comparison.metrics[DECIDING_METRIC]
    assert family.confidence == 0.95
    assert (lead_of(family, 2).interval.low, lead_of(family, 2).interval.high) == (metric.low, metric.high)


def test_five_candidates_widen_each_part_as_bonferroni_says() -> None:
    members = [make_member("mnv1_s", 0.0, imgsz=side, half_width=0.02) for side in (160, 192, 224, 256, 288)]
    family = Family.of(members)
    assert family.counted == 5
    assert family.confidence == pytest.approx(0.99)
    scenes = members[0].comparison.guards.scenes
    images, luck = (stats.t.ppf(0.995, degrees) / stats.t.ppf(0.975, degrees) for degrees in (scenes - 1, 4))
    wider = np.hypot(0.02 / np.sqrt(2) * images, 0.02 / np.sqrt(2) * luck)
    for group in family.groups:
        (candidate,) = group.candidates
        assert candidate.lead is not None
        assert candidate.lead.interval.high == pytest.approx(wider, abs=2e-5)
        assert candidate.lead.interval.low == pytest.approx(-wider, abs=2e-5)


def test_candidates_that_are_not_shown_count_where_the_store_knew_more() -> None:
    few, many = make_member("mnv1_n"), make_member("mnv1_s")
    guards = many.comparison.guards.model_copy(update={"candidates": 20})
    family = Family.of([few, make_member("mnv1_s", guards=guards)])
    assert family.counted == 20
    assert family.confidence == pytest.approx(0.9975)


def test_where_all_were_counted_the_row_says_what_the_comparison_said() -> None:
    baseline, candidate = make_arms(0.7, 0.79, seeds=3)
    circumstances = make_circumstances(history=History(candidates=3, spread=None))
    comparison = compare(make_evidence(baseline), make_evidence(candidate), circumstances, OPTIONS)
    setup = Setup(320, "none", "none")
    lead = lead_over_baseline(Member("trial", setup, setup, OPTIONS, comparison), 1 - 0.05 / 3)
    corrected = comparison.guards.corrected
    assert (lead.interval.low, lead.interval.high) == pytest.approx((corrected.low, corrected.high), abs=2e-6)
    assert corrected.high > comparison.metrics[DECIDING_METRIC].high
    assert lead.verdict == comparison.verdict


@pytest.mark.parametrize(
    ("guards", "verdict"),
    [
        ({}, "better"),
        ({"few_scenes": "caveat"}, "better"),
        ({"few_scenes": "no verdict"}, "inconclusive"),
        ({"rare_classes": ("platelet",), "without_rare": "better"}, "better"),
        ({"rare_classes": ("platelet",), "without_rare": "no worse"}, "inconclusive"),
    ],
)
def test_the_guards_of_the_comparison_hold_here_as_well(guards: dict[str, object], verdict: Verdict) -> None:
    member = make_member(delta=0.1)
    guarded = make_member(delta=0.1, guards=member.comparison.guards.model_copy(update=guards))
    assert lead_over_baseline(guarded, 0.95).verdict == verdict


def test_a_latency_is_the_ratio_within_its_trial_times_the_median_of_the_baseline() -> None:
    members = []
    for backbone, slower in (("mnv1_n", 1.0), ("mnv1_s", 1.2), ("mnv1_m", 5.0)):
        costs = dict(make_member(backbone).comparison.costs)
        latency = costs["latency_ms"]
        costs["latency_ms"] = latency.model_copy(
            update={"baseline": slower * latency.baseline, "candidate": slower * latency.candidate}
        )
        members.append(make_member(backbone, costs=costs))
    baseline, narrow, *_, wide = Family.of(members).models
    assert baseline.costs["latency_ms"].value == pytest.approx(1.2 * 24.5)
    assert narrow.costs["latency_ms"].value == pytest.approx(0.8 * 1.2 * 24.5)
    assert wide.costs["latency_ms"].value == pytest.approx(1.31 * 1.2 * 24.5)
    assert narrow.costs["gflops"].value == 1.06


def test_a_cost_that_was_not_measured_is_missing_and_a_busy_machine_is_known() -> None:
    costs = {name: cost for name, cost in make_member().comparison.costs.items() if name != "latency_onnx_ms"}
    assert "latency_onnx_ms" not in Family.of([make_member(costs=costs)]).models[1].costs
    baseline, busy, calm = Family.of([make_member("mnv1_n", busy=True), make_member("mnv1_s")]).models
    assert [model.costs["latency_ms"].busy for model in (baseline, busy, calm)] == [False, True, False]
