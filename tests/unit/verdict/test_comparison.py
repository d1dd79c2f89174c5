from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import METRICS, History, SeedSpread
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison
from tests.synthetic_results import make_arms, make_circumstances, make_evidence, with_training

OPTIONS = VerdictOptions(confidence=0.95, resamples=100, seed_sd=0.01, margin=0.02, seed=0)


def compared(
    baseline: list[ArmResult], candidate: list[ArmResult], options: VerdictOptions = OPTIONS, **circumstances: Any
) -> Comparison:
    images = len(baseline[0].statistics.images)
    return compare(
        make_evidence(baseline), make_evidence(candidate), make_circumstances(images, **circumstances), options
    )


@pytest.fixture(scope="module")
def two_seeds() -> Comparison:
    """A better candidate, with two seeds."""
    return compared(*make_arms(0.6, 0.8, seeds=2))


def test_a_clearly_better_model_is_better(two_seeds: Comparison) -> None:
    metric = two_seeds.metrics["map50_95"]
    assert two_seeds.verdict == metric.verdict == "better"
    assert 0.02 < metric.low < metric.delta < metric.high
    assert not two_seeds.provisional


def test_swapping_the_arms_mirrors_every_difference(two_seeds: Comparison) -> None:
    baseline, candidate = make_arms(0.6, 0.8, seeds=2)
    back = compared(candidate, baseline)
    for name in METRICS:
        one, other = two_seeds.metrics[name], back.metrics[name]
        assert (one.delta, one.low, one.high) == pytest.approx((-other.delta, -other.high, -other.low), abs=2e-6)
    assert back.verdict == "worse"


def test_a_model_compared_with_itself_differs_only_by_the_luck_that_is_assumed() -> None:
    baseline, _ = make_arms()
    comparison = compared(baseline, baseline)
    for metric in comparison.metrics.values():
        assert metric.delta == 0
        assert -metric.low == metric.high == pytest.approx(2.776445 * 0.01 * 2**0.5, abs=1e-6)
    assert (comparison.verdict, comparison.provisional) == ("inconclusive", True)
    wide = OPTIONS.model_copy(update={"margin": 0.04})
    assert compared(baseline, baseline, wide).verdict == "equivalent"
    assert compared(baseline, baseline, OPTIONS.model_copy(update={"margin": 0.0})).verdict == "inconclusive"


def test_metrics_are_those_of_the_evaluation(two_seeds: Comparison) -> None:
    baseline, candidate = make_arms(0.6, 0.8, seeds=2)
    for name in METRICS:
        metric = two_seeds.metrics[name]
        assert metric.baseline == pytest.approx(np.mean([getattr(r.metrics, name) for r in baseline]), abs=1e-6)
        assert metric.candidate == pytest.approx(np.mean([getattr(r.metrics, name) for r in candidate]), abs=1e-6)
        assert metric.delta == pytest.approx(metric.candidate - metric.baseline, abs=2e-6)


def test_the_order_of_the_seeds_and_the_day_change_nothing(two_seeds: Comparison) -> None:
    baseline, candidate = make_arms(0.6, 0.8, seeds=2)
    assert compared(baseline[::-1], candidate) == two_seeds


def test_another_seed_of_the_draws_gives_other_intervals() -> None:
    arms = make_arms(0.6, 0.8)
    assert compared(*arms).metrics != compared(*arms, OPTIONS.model_copy(update={"seed": 1})).metrics


def test_coco_is_told_by_size_and_missing_where_a_seed_has_no_object_of_it(two_seeds: Comparison) -> None:
    sizes = {each.size: each for each in two_seeds.sizes}
    assert list(sizes) == ["all", "AP50", "AP75", "small", "medium", "large"]
    assert sizes["all"].baseline == two_seeds.metrics["map50_95"].baseline
    assert sizes["AP75"].candidate == two_seeds.metrics["map75"].candidate
    assert (sizes["small"].baseline, sizes["large"].candidate) == (None, None)


def test_what_is_assumed_of_the_luck_is_params_yaml_then_earlier_runs_then_the_curve() -> None:
    arms = make_arms()
    auto = OPTIONS.model_copy(update={"seed_sd": "auto"})
    spread = SeedSpread(metrics={"map50_95": 0.015, "map50": 0.02, "map75": 0.03}, degrees=2, models=4)
    known = History(candidates=1, spread=spread)
    told = compared(*arms, history=known).spread
    assert (told.source, told.sd, told.degrees, told.models) == ("params.yaml", 0.01, 4, 0)
    told = compared(*arms, auto, history=known).spread
    assert (told.source, told.sd, told.degrees, told.models) == ("earlier runs", 0.015, 2, 4)
    told = compared(*arms, auto, train_images=2400).spread
    assert (told.source, told.sd, told.assumed, told.train_images) == ("curve", 0.015, 0.015, 2400)
    assert told.measured is None


def test_three_seeds_assume_nothing() -> None:
    spread = compared(*make_arms(seeds=3)).spread
    assert spread.measured == spread.sd
    assert (spread.assumed, spread.degrees) == (None, 4)


def test_a_guard_withholds_the_verdict_that_the_interval_has() -> None:
    comparison = compared(*make_arms(0.3, 0.9), scenes=np.arange(70) % 4)
    assert comparison.verdict == "inconclusive"
    assert comparison.guards.scenes == 4


def test_many_candidates_widen_the_interval_that_decides() -> None:
    arms = make_arms(0.6, 0.8)
    alone, many = (compared(*arms, history=History(candidates=count, spread=None)) for count in (1, 20))
    assert many.guards.corrected.low < alone.guards.corrected.low
    assert many.metrics == alone.metrics
    assert many.settling.equivalent_margin > alone.settling.equivalent_margin


def test_an_arm_that_was_still_learning_is_told() -> None:
    baseline, candidate = make_arms()
    late = [with_training(result, best_epoch=40) for result in candidate]
    comparison = compared(baseline, late)
    assert (comparison.baseline.maturity, comparison.candidate.maturity) == ("learnt", "rising")


def test_a_summary_has_what_each_seed_came_to(two_seeds: Comparison) -> None:
    baseline, _ = make_arms(0.6, 0.8, seeds=2)
    summary = two_seeds.baseline
    assert summary.map50_95 == tuple(result.metrics.map50_95 for result in baseline)
    assert summary.val_map50_95 == pytest.approx(np.mean(summary.map50_95) + 0.01, abs=1e-6)
    assert summary.best_epochs == (30, 29)
    assert summary.confidences == (0.5, 0.5)
    assert two_seeds.epochs == 40


def test_costs_are_ratios_of_candidate_to_baseline(two_seeds: Comparison) -> None:
    costs = two_seeds.costs
    assert costs["parameters"].ratio == pytest.approx(1_843_000 / 2_582_542, abs=1e-6)
    assert costs["parameters"].low is None
    assert costs["latency_ms"].ratio == pytest.approx(0.7, abs=0.01)
    assert list(costs)[:5] == ["parameters", "gflops", "weights_mb", "latency_ms", "latency_onnx_ms"]


def test_arms_on_unequal_terms_are_not_compared() -> None:
    baseline, candidate = make_arms()
    with pytest.raises(ComparisonError, match="data_digest differs"):
        compared(baseline, [with_training(candidate[0], data_digest="deadbeef")])


def test_a_cost_of_zero_is_refused() -> None:
    baseline, candidate = make_arms()
    free = dataclasses.replace(baseline[0], metrics=baseline[0].metrics.model_copy(update={"gflops": 0.0}))
    with pytest.raises(ComparisonError, match=r"gflops of baseline s0 is 0\.0"):
        compared([free], candidate)


def test_evidence_is_put_in_order_of_seed_with_its_histories_and_times() -> None:
    baseline, _ = make_arms(seeds=2)
    evidence = make_evidence(baseline)
    first, second = pd.DataFrame({"epoch": [1]}), pd.DataFrame({"epoch": [2]})
    mixed = dataclasses.replace(evidence, results=baseline[::-1], histories=[second, first])
    ordered = mixed.by_seed()
    assert [result.training.seed for result in ordered.results] == [0, 1]
    assert ordered.histories[0] is first
