from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import (
    METRICS,
    TRUE_POSITIVE_COLUMNS,
    EngineLatency,
    LatencyRecord,
    Start,
    Teacher,
    WeightsSource,
)
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.options import VerdictOptions
from mobileyolo.verdict.records import Comparison
from tests.synthetic_results import make_arms, make_latency, make_result, make_statistics, with_changes

OPTIONS = VerdictOptions(confidence=0.95, resamples=100, seed_sd=0.01, margin=0.02, seed=0)


def compared(baseline: list[ArmResult], candidate: list[ArmResult], options: VerdictOptions = OPTIONS) -> Comparison:
    return compare(baseline, candidate, make_latency(), options)


def with_training(result: ArmResult, **changes: object) -> ArmResult:
    return dataclasses.replace(result, training=result.training.model_copy(update=changes))


def test_two_models_of_one_skill_are_nearly_always_inconclusive() -> None:
    verdicts = [compared(*make_arms(luck=luck, scenes=luck)).verdict for luck in range(12)]
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


def test_the_reason_tells_names_numbers_and_terms() -> None:
    comparison = compared(*make_arms(0.8, 0.6))
    metric = comparison.metrics["map50_95"]
    for part in (
        "mnv1_n is worse than yolo11n",
        f"{metric.candidate:.3f} against {metric.baseline:.3f} mAP50-95",
        "70 test images with one seed",
        f"{metric.delta:+.3f} has a 95% interval from {metric.low:+.3f} to {metric.high:+.3f}",
        "the interval assumes a standard deviation of 0.01 for each model",
    ):
        assert part in comparison.reason


def test_the_reason_of_several_seeds_assumes_nothing() -> None:
    reason = compared(*make_arms(seeds=2)).reason
    assert "means over 2 seeds" in reason
    assert "assumed" not in reason


def blind(result: ArmResult) -> ArmResult:
    """The same model, but none of its predictions is right."""
    predictions = result.statistics.predictions.assign(**dict.fromkeys(TRUE_POSITIVE_COLUMNS, False))
    return dataclasses.replace(result, statistics=with_changes(result.statistics, predictions=predictions))


def test_the_reason_says_which_model_is_still_at_its_start() -> None:
    (baseline,), (candidate,) = make_arms()
    both = compared([blind(baseline)], [blind(candidate)]).reason
    assert "yolo11n and mnv1_n have learnt hardly anything yet" in both
    one = compared([baseline], [blind(candidate)]).reason
    assert ". mnv1_n has learnt hardly anything yet" in one


def test_the_reason_of_models_that_learnt_says_nothing_of_that() -> None:
    assert "learnt" not in compared(*make_arms()).reason


def test_what_validation_let_through_stands_beside_the_verdict() -> None:
    comparison = compare(*make_arms(), make_latency(), OPTIONS, ["3 of 9 images are in two splits."])
    assert comparison.reason.endswith(" 3 of 9 images are in two splits.")


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_model_against_itself_with_other_seeds_is_nearly_always_inconclusive(seeds: int) -> None:
    """Each made-up training has a skill of its own, with a standard deviation of 2 points of mAP."""
    generator = np.random.default_rng(seeds)
    options = OPTIONS.model_copy(update={"seed_sd": 0.02, "margin": 0.0})
    verdicts = []
    for scenes in range(12):
        baseline, candidate = (
            [
                make_result(arm, "yolo11n", make_statistics(luck + seed, skill=skill, scenes=scenes, images=20), seed)
                for seed, skill in enumerate(generator.normal(0.7, 0.02, seeds))
            ]
            for arm, luck in (("baseline", 0), ("candidate", 100))
        )
        verdicts.append(compared(baseline, candidate, options).verdict)
    assert verdicts.count("inconclusive") >= 11


def test_the_reason_says_when_the_images_chose_the_checkpoints() -> None:
    chosen = "The checkpoints were chosen on these same images"
    assert chosen in compared(*make_arms(split="val")).reason
    assert chosen not in compared(*make_arms(split="test")).reason


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda result: with_training(result, recipe_digest="deadbeef"),
            r"recipe_digest differs: '[0-9a-f]{64}' for baseline s0, 'deadbeef' for candidate s0; train and evaluate",
        ),
        (
            lambda result: with_training(result, data_digest="deadbeef"),
            r"data_digest differs: '[0-9a-f]{64}' for baseline s0, 'deadbeef' for candidate s0",
        ),
        (
            lambda result: with_training(result, seed=7),
            r"seeds differ: baseline has \[0\], candidate has \[7\]; train both arms on the same seeds",
        ),
        (
            lambda result: dataclasses.replace(result, statistics=with_changes(result.statistics, split="val")),
            r"split differs: 'test' for baseline s0, 'val' for candidate s0",
        ),
        (
            lambda result: dataclasses.replace(
                result, statistics=with_changes(result.statistics, images=result.statistics.images[:-1])
            ),
            r"images differ: 70 for baseline s0, 69 for candidate s0; .* one of them has is 'images/test/00069.jpg'",
        ),
    ],
)
def test_unequal_terms_are_refused_by_name_and_values(change: Callable[[ArmResult], ArmResult], message: str) -> None:
    baseline, candidate = make_arms()
    with pytest.raises(ComparisonError, match=message):
        compared(baseline, [change(candidate[0])])


def test_unequal_terms_between_the_seeds_of_one_arm_are_refused() -> None:
    baseline, candidate = make_arms(seeds=2)
    baseline[1] = with_training(baseline[1], recipe_digest="deadbeef")
    with pytest.raises(ComparisonError, match=r"recipe_digest differs: .* for baseline s0, 'deadbeef' for baseline s1"):
        compared(baseline, candidate)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ComparisonError, match=r"seeds differ: baseline has \[\], candidate has \[\]"):
        compared([], [])


def test_a_cost_of_zero_is_refused() -> None:
    baseline, candidate = make_arms()
    free = dataclasses.replace(baseline[0], metrics=baseline[0].metrics.model_copy(update={"gflops": 0.0}))
    with pytest.raises(ComparisonError, match=r"gflops of baseline s0 is 0\.0"):
        compared([free], candidate)


def test_an_unequal_start_stands_with_the_verdict() -> None:
    baseline, candidate = make_arms()
    source = {"detector": WeightsSource(name="yolo11n.pt", digest="d" * 64)}
    whole = Start(sources=source, tensors=499, of_tensors=499, values=2_600_000, of_values=2_600_000)
    part = Start(sources=source, tensors=312, of_tensors=475, values=1_630_000, of_values=1_860_000)
    comparison = compared(
        [with_training(result, start=whole) for result in baseline],
        [with_training(result, start=part) for result in candidate],
    )
    assert (
        "The starting weights differ: yolo11n has 499 of 499 tensors, 2.60 of 2.60 M values from yolo11n.pt; "
        "mnv1_n has 312 of 475 tensors, 1.63 of 1.86 M values from yolo11n.pt." in comparison.reason
    )
    assert "starting weights" not in compared(baseline, candidate).reason


def test_a_teacher_of_one_arm_alone_stands_with_the_verdict() -> None:
    baseline, candidate = make_arms()
    teacher = Teacher(name="yolo11n s0", digest="t" * 64, dis=6.0)
    taught = [with_training(result, teacher=teacher) for result in candidate]
    said = "The teachers differ: yolo11n had no teacher; mnv1_n was taught by yolo11n s0."
    assert said in compared(baseline, taught).reason
    assert "teachers" not in compared([with_training(result, teacher=teacher) for result in baseline], taught).reason
