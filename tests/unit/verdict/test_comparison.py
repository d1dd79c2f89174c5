from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import METRICS, EngineLatency, LatencyRecord
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison
from tests.synthetic_results import make_arms, make_latency, make_result, make_statistics, with_training

OPTIONS = VerdictOptions(confidence=0.95, resamples=100, seed_sd=0.01, margin=0.02, seed=0)


def compared(baseline: list[ArmResult], candidate: list[ArmResult], options: VerdictOptions = OPTIONS) -> Comparison:
    return compare(baseline, candidate, make_latency(), options)


def test_two_models_of_one_skill_are_nearly_always_inconclusive() -> None:
    verdicts = [compared(*make_arms(detectors=number, scenes=number)).verdict for number in range(12)]
    assert verdicts.count("inconclusive") >= 11


def test_a_clearly_better_model_is_better() -> None:
    comparison = compared(*make_arms(0.6, 0.8))
    assert comparison.verdict == "better"
    metric = comparison.metrics["map50_95"]
    assert 0.02 < metric.low < metric.delta < metric.high


def test_swapping_the_arms_mirrors_every_difference() -> None:
    baseline, candidate = make_arms(0.6, 0.8, seeds=2)
    there, back = compared(baseline, candidate), compared(candidate, baseline)
    for name in METRICS:
        one, other = there.metrics[name], back.metrics[name]
        assert (one.delta, one.low, one.high) == pytest.approx((-other.delta, -other.high, -other.low), abs=2e-6)
    assert (there.verdict, back.verdict) == ("better", "worse")


def test_a_model_compared_with_itself_has_exactly_no_difference() -> None:
    baseline, _ = make_arms()
    comparison = compared(baseline, baseline)
    # All of the width is the variation between seeds that is assumed for a single seed.
    assert all(
        m.delta == 0 and -m.low == m.high == pytest.approx(0.0277, abs=1e-4) for m in comparison.metrics.values()
    )
    assert comparison.verdict == "inconclusive"
    assert "Neither yolo11n (candidate) nor yolo11n (baseline) is shown to be better" in comparison.reason
    assert "which overlaps the margin from -0.020 to +0.020" in comparison.reason


def test_without_a_margin_a_model_compared_with_itself_is_still_inconclusive() -> None:
    baseline, _ = make_arms()
    assert compared(baseline, baseline, OPTIONS.model_copy(update={"margin": 0.0})).verdict == "inconclusive"


def test_an_interval_that_reaches_into_the_margin_is_inconclusive() -> None:
    arms = make_arms(0.6, 0.8)
    low = compared(*arms).metrics["map50_95"].low
    assert compared(*arms, OPTIONS.model_copy(update={"margin": low - 1e-6})).verdict == "better"
    assert compared(*arms, OPTIONS.model_copy(update={"margin": low})).verdict == "inconclusive"


def test_metrics_are_those_of_the_evaluation() -> None:
    baseline, candidate = make_arms(0.7, 0.8, seeds=3)
    metrics = compared(baseline, candidate).metrics
    for name in METRICS:
        expected = np.mean([getattr(result.metrics, name) for result in baseline])
        assert metrics[name].baseline == pytest.approx(expected, abs=1e-6)
        assert metrics[name].delta == pytest.approx(metrics[name].candidate - metrics[name].baseline, abs=2e-6)


def test_seeds_pair_up_whatever_their_order() -> None:
    baseline, candidate = make_arms(0.7, 0.8, seeds=3)
    assert compared(baseline[::-1], candidate) == compared(baseline, candidate)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_model_against_itself_with_other_seeds_is_nearly_always_inconclusive(seeds: int) -> None:
    """Each made-up training has a skill of its own, with a standard deviation of 2 points of mAP."""
    generator = np.random.default_rng(seeds)
    options = OPTIONS.model_copy(update={"seed_sd": 0.02, "margin": 0.0})
    verdicts = []
    for scenes in range(12):
        baseline, candidate = (
            [
                make_result(arm, "yolo11n", make_statistics(first + seed, skill=skill, scenes=scenes, images=20), seed)
                for seed, skill in enumerate(generator.normal(0.7, 0.02, seeds))
            ]
            for arm, first in (("baseline", 0), ("candidate", 100))
        )
        verdicts.append(compared(baseline, candidate, options).verdict)
    assert verdicts.count("inconclusive") >= 11


def test_costs_are_ratios_of_candidate_to_baseline() -> None:
    costs = compared(*make_arms()).costs
    assert costs["parameters"].ratio == pytest.approx(1_843_000 / 2_582_542, abs=1e-6)
    assert costs["parameters"].low is None
    assert list(costs) == ["parameters", "gflops", "weights_mb", "latency_ms", "latency_onnx_ms"]


def test_latency_ratios_are_taken_within_a_round() -> None:
    latency = LatencyRecord(
        imgsz=160,
        threads=2,
        machine="some CPU",
        engines={
            "latency_ms": EngineLatency(
                engine="one engine",
                rounds_ms={"baseline": (10, 10, 40, 10, 10), "candidate": (5, 6, 20, 4, 5)},  # the third was disturbed
            ),
            "latency_onnx_ms": EngineLatency(
                engine="another", rounds_ms={"baseline": (8, 8, 8, 8, 8), "candidate": (2, 2, 2, 4, 6)}
            ),
        },
    )
    comparison = compare(*make_arms(), latency, OPTIONS)
    cost, other = comparison.costs["latency_ms"], comparison.costs["latency_onnx_ms"]
    assert (cost.baseline, cost.candidate, cost.ratio, cost.low, cost.high) == (10, 5, 0.5, 0.5, 0.5)
    assert (other.baseline, other.candidate, other.ratio, other.low, other.high) == (8, 2, 0.25, 0.25, 0.5)
    assert comparison.timing == "one engine and another; 2 threads, one image of 160 x 160 pixels, some CPU"


def test_equal_inputs_and_seed_give_an_equal_comparison() -> None:
    arms = make_arms(seeds=2)
    assert compared(*arms) == compared(*arms)
    assert compared(*arms) != compared(*arms, OPTIONS.model_copy(update={"seed": 1}))


def test_arms_on_unequal_terms_are_not_compared() -> None:
    baseline, candidate = make_arms()
    with pytest.raises(ComparisonError, match="data_digest differs"):
        compared(baseline, [with_training(candidate[0], data_digest="deadbeef")])


def test_a_cost_of_zero_is_refused() -> None:
    baseline, candidate = make_arms()
    free = dataclasses.replace(baseline[0], metrics=baseline[0].metrics.model_copy(update={"gflops": 0.0}))
    with pytest.raises(ComparisonError, match=r"gflops of baseline s0 is 0\.0"):
        compared([free], candidate)
