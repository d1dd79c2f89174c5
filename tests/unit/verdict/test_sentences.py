from __future__ import annotations

import dataclasses

from mobileyolo.core.records import (
    TRUE_POSITIVE_COLUMNS,
    FindingCount,
    Start,
    Teacher,
    ValidationVerdict,
    WeightsSource,
)
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison
from mobileyolo.verdict.sentences import caveats
from tests.synthetic_results import make_arms, make_latency, with_changes, with_training

OPTIONS = VerdictOptions(confidence=0.95, resamples=100, seed_sd=0.01, margin=0.02, seed=0)


def compared(baseline: list[ArmResult], candidate: list[ArmResult], options: VerdictOptions = OPTIONS) -> Comparison:
    return compare(baseline, candidate, make_latency(), options)


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
    """The same model, but all of its predictions are wrong."""
    predictions = result.statistics.predictions.assign(**dict.fromkeys(TRUE_POSITIVE_COLUMNS, False))
    return dataclasses.replace(result, statistics=with_changes(result.statistics, predictions=predictions))


def test_the_reason_says_which_model_is_has_hardly_learnt() -> None:
    (baseline,), (candidate,) = make_arms()
    both = compared([blind(baseline)], [blind(candidate)]).reason
    assert "yolo11n and mnv1_n have learnt hardly anything yet" in both
    one = compared([baseline], [blind(candidate)]).reason
    assert ". mnv1_n has learnt hardly anything yet" in one


def test_the_reason_of_models_that_learnt_says_nothing_of_that() -> None:
    assert "learnt" not in compared(*make_arms()).reason


def test_what_validation_tolerated_is_said_after_the_verdict() -> None:
    comparison = compare(*make_arms(), make_latency(), OPTIONS, ["3 of 9 images are in two splits."])
    assert comparison.reason.endswith(" 3 of 9 images are in two splits.")


def test_images_in_two_splits_are_the_only_fault_that_makes_metrics_less_reliable() -> None:
    found = FindingCount(suite="faults", severity="error", count=3, rows=9, share=1 / 3, tolerance=1.0)
    (caveat,) = caveats(ValidationVerdict(passed=True, findings={"image_in_two_splits": found}))
    assert caveat.startswith("3 of 9 images are in two splits")
    assert caveats(ValidationVerdict(passed=True, findings={"duplicate": found})) == []


def test_the_reason_says_when_the_images_chose_the_checkpoints() -> None:
    chosen = "The checkpoints were chosen on these same images"
    assert chosen in compared(*make_arms(split="val")).reason
    assert chosen not in compared(*make_arms(split="test")).reason


def test_an_unequal_start_is_said_after_the_verdict() -> None:
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


def test_a_teacher_of_one_arm_alone_is_said_after_the_verdict() -> None:
    baseline, candidate = make_arms()
    teacher = Teacher(name="yolo11n s0", digest="t" * 64, dis=6.0)
    taught = [with_training(result, teacher=teacher) for result in candidate]
    said = "The teachers differ: yolo11n had no teacher; mnv1_n was taught by yolo11n s0."
    assert said in compared(baseline, taught).reason
    assert "teachers" not in compared([with_training(result, teacher=teacher) for result in baseline], taught).reason
