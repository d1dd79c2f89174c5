from __future__ import annotations

from typing import Any

import pytest

from mobileyolo.core.records import FindingCount, Start, Teacher, ValidationVerdict, WeightsSource
from mobileyolo.verdict import sentences
from mobileyolo.verdict.records import (
    VERDICTS,
    Comparison,
    CostRatio,
    Guards,
    Interval,
    Spread,
    TrainedTeacher,
    Verdict,
)
from tests.synthetic_comparison import make_comparison
from tests.synthetic_results import RANDOM

CALM = Guards(
    scenes=72, few_scenes="none", rare_classes=(), without_rare=None, candidates=1,
    corrected=Interval(delta=-0.124, low=-0.19, high=-0.06), corrected_confidence=0.95,
)  # fmt: skip


def comparison_with(seeds: int = 1, guards: dict[str, Any] | None = None, **changes: Any) -> Comparison:
    """A comparison without anything to look out for, except these changes."""
    return make_comparison(seeds, guards=CALM.model_copy(update=guards or {}), **changes)


def with_latency(comparison: Comparison, **changes: Any) -> Comparison:
    latency = CostRatio(**comparison.costs["latency_ms"].model_dump() | changes)
    return comparison.model_copy(update={"costs": comparison.costs | {"latency_ms": latency}})


@pytest.mark.parametrize(
    ("verdict", "claim"),
    [
        ("better", "mnv1_n is better than yolo11n: the whole interval lies above the margin of 0.01."),
        ("worse", "mnv1_n is worse than yolo11n: the whole interval lies below the margin of -0.01."),
        ("equivalent", "mnv1_n is as good as yolo11n: the whole interval lies within ±0.01."),
        ("no worse", "mnv1_n is no worse than yolo11n: the whole interval lies above -0.01."),
        ("no better", "mnv1_n is no better than yolo11n: the whole interval lies below 0.01."),
        ("inconclusive", "This evidence does not decide between mnv1_n and yolo11n."),
    ],
)
def test_the_reason_says_the_state_and_the_numbers(verdict: Verdict, claim: str) -> None:
    assert sentences.reason(comparison_with(verdict=verdict)).startswith(
        f"{claim} 0.454 against 0.578 mAP50-95 on 72 test images (one seed); the difference is -0.124, its 95% "
        "interval -0.190 to -0.060."
    )


@pytest.mark.parametrize(
    ("verdict", "faster", "slower"),
    [
        (
            "better",
            "Yes: mnv1_n gains 0.124 mAP50-95 over yolo11n, at 0.79 times the latency.",
            "Yes: mnv1_n gains 0.124 mAP50-95 over yolo11n.",
        ),
        ("worse", "No: mnv1_n loses 0.124 mAP50-95 to yolo11n.", "No: mnv1_n loses 0.124 mAP50-95 to yolo11n."),
        (
            "equivalent",
            "As good within 0.01, at 0.79 times the latency: mnv1_n and yolo11n.",
            "As good within 0.01: mnv1_n and yolo11n.",
        ),
        (
            "no worse",
            "No worse within 0.01, at 0.79 times the latency: mnv1_n than yolo11n.",
            "mnv1_n is no worse than yolo11n within 0.01; better is not shown.",
        ),
        (
            "no better",
            "mnv1_n is no better than yolo11n beyond 0.01; worse is not shown.",
            "mnv1_n is no better than yolo11n beyond 0.01; worse is not shown.",
        ),
        (
            "inconclusive",
            "Undecided: neither mnv1_n nor yolo11n is shown to be better.",
            "Undecided: neither mnv1_n nor yolo11n is shown to be better.",
        ),
    ],
)
def test_the_headline_claims_a_latency_only_where_it_was_measured_to_be_lower(
    verdict: Verdict, faster: str, slower: str
) -> None:
    comparison = comparison_with(verdict=verdict)
    assert sentences.headline(comparison) == faster
    assert sentences.headline(with_latency(comparison, busy=True)) == slower
    assert sentences.headline(with_latency(comparison, high=1.0)) == slower
    assert sentences.headline(with_latency(comparison, low=None, high=None)) == slower


def test_a_headline_is_tentative_where_a_model_was_still_learning() -> None:
    comparison = comparison_with()
    assert not sentences.is_tentative(comparison)
    for maturity in ("rising", "untrained"):
        candidate = comparison.candidate.model_copy(update={"maturity": maturity})
        early = comparison.model_copy(update={"candidate": candidate})
        assert sentences.is_tentative(early)
        assert sentences.headline(early) == "No: mnv1_n loses 0.124 mAP50-95 to yolo11n, after 40 epochs."


def test_the_reason_says_which_model_was_still_learning() -> None:
    comparison = comparison_with()
    rising = {"maturity": "rising"}
    untrained = {"maturity": "untrained"}
    one = comparison.model_copy(update={"candidate": comparison.candidate.model_copy(update=rising)})
    assert "Still rising when training ended: mnv1_n; this is the state after 40 epochs." in sentences.reason(one)
    both = comparison.model_copy(
        update={arm: getattr(comparison, arm).model_copy(update=untrained) for arm in ("baseline", "candidate")}
    )
    assert "Hardly anything was learnt by yolo11n and mnv1_n (mAP50 under 0.05)" in sentences.reason(both)
    assert "rising" not in sentences.reason(both)
    assert "learnt" not in sentences.reason(comparison)


def test_under_five_scenes_there_is_no_verdict_in_any_sentence() -> None:
    comparison = comparison_with(verdict="inconclusive", guards={"scenes": 4, "few_scenes": "no verdict"})
    assert sentences.headline(comparison) == "No verdict: 4 independent test scenes are too few."
    assert sentences.is_tentative(comparison)
    reason = sentences.reason(comparison)
    assert "Images of one scene are tied together, so that 72 images count as 4." in reason
    assert "With 4 scenes no verdict is given." in reason
    assert sentences.settling(comparison) == "A verdict needs at least 5 independent test scenes."


def test_few_scenes_have_a_caveat() -> None:
    assert "29 scenes are few" in sentences.reason(comparison_with(guards={"scenes": 29, "few_scenes": "caveat"}))
    assert "scene" not in sentences.reason(comparison_with())


RARE = {"rare_classes": ("platelet", "other")}


def test_rare_classes_that_change_nothing_are_named() -> None:
    reason = sentences.reason(comparison_with(guards=RARE | {"without_rare": "worse"}))
    assert "fewer than 10 test boxes: platelet, other. Without them the verdict is the same." in reason
    every = sentences.reason(comparison_with(guards=RARE))
    assert "Every class has fewer than 10 test boxes." in every


@pytest.mark.parametrize("without", ["inconclusive", "no better"])
def test_rare_classes_that_decide_alone_are_the_reason_and_more_of_them_would_settle_it(without: Verdict) -> None:
    comparison = comparison_with(verdict="inconclusive", guards=RARE | {"without_rare": without})
    assert f"Without them the interval would say {without}, so nothing is decided." in sentences.reason(comparison)
    assert sentences.settling(comparison) == "A verdict needs more test boxes of: platelet, other."


def test_earlier_candidates_are_counted_with_the_interval_that_decides() -> None:
    guards = {
        "candidates": 20,
        "corrected": Interval(delta=-0.124, low=-0.25, high=0.01),
        "corrected_confidence": 0.9975,
    }
    assert (
        "20 candidates have been measured on these images; at the 99.8% that holds for all of them together, which "
        "decides, the interval is -0.250 to +0.010."
    ) in sentences.reason(comparison_with(guards=guards))
    assert "candidates" not in sentences.reason(comparison_with())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("params.yaml", "set in params.yaml."),
        ("earlier runs", "measured on 6 earlier models of this data and recipe."),
        ("curve", "usual for 205 training images."),
    ],
)
def test_one_seed_is_provisional_and_says_what_is_assumed_and_why(source: str, told: str) -> None:
    spread = Spread(sd=0.02, degrees=4, measured=None, assumed=0.02, source=source, models=6, train_images=205)  # type: ignore[arg-type]
    assert (
        "Provisional: one seed can't show the luck of training; a standard deviation of 0.02 is assumed for each "
        f"model, {told}"
    ) in sentences.reason(comparison_with(spread=spread))


def test_two_seeds_assume_a_part_and_three_nothing() -> None:
    spread = Spread(sd=0.02, degrees=4, measured=0.01, assumed=0.02, source="curve", models=0, train_images=205)
    two = sentences.reason(comparison_with(2, spread=spread))
    assert "means over 2 seeds" in two
    assert "Two seeds show little of the luck of training; a standard deviation of 0.02 counts too" in two
    three = sentences.reason(comparison_with(3, spread=spread.model_copy(update={"assumed": None})))
    assert "standard deviation" not in three


def test_both_parts_of_the_interval_are_told_and_the_larger_is_named() -> None:
    assert sentences.certainty(comparison_with()) == (
        "Difference -0.124: test images ± 0.050, luck of training ± 0.040; the choice of test images matters more."
    )


def test_the_advice_is_what_was_computed() -> None:
    comparison = comparison_with()
    margins = " With a margin of 0.190 this run would say equivalent, with 0.190 no worse."

    def told(**changes: Any) -> str:
        return sentences.settling(
            comparison.model_copy(update={"settling": comparison.settling.model_copy(update=changes)})
        )

    stays = "If the difference stays as it is, this would settle it: "
    assert told() == f"{stays}4 seeds with these test images or 300 test images with these seeds.{margins}"
    assert told(seeds=None, images=12_000) == f"{stays}12,000 test images with these seeds.{margins}"
    assert told(seeds=None, images=None) == f"{stays}3 seeds and 200 test images together.{margins}"
    nothing = told(seeds=None, images=None, seeds_with_images=None, images_with_seeds=None)
    assert nothing.startswith("The difference is so close to the margin that neither 50 seeds nor 1,000,000 images")
    assert told(settled=True).startswith("For these models this is settled")


def test_images_in_two_splits_are_the_only_fault_that_makes_metrics_less_reliable() -> None:
    found = FindingCount(suite="faults", severity="error", count=3, rows=9, share=1 / 3, tolerance=1.0)
    (caveat,) = sentences.caveats(ValidationVerdict(passed=True, findings={"image_in_two_splits": found}))
    assert caveat.startswith("3 of 9 images are in two splits")
    assert sentences.caveats(ValidationVerdict(passed=True, findings={"duplicate": found})) == []


def test_the_reason_says_when_the_images_chose_the_checkpoints() -> None:
    chosen = "The checkpoints were chosen on these same images"
    assert chosen in sentences.reason(comparison_with(split="val"))
    assert chosen not in sentences.reason(comparison_with(split="test"))


def with_arms(baseline: dict[str, Any], candidate: dict[str, Any]) -> Comparison:
    comparison = comparison_with()
    return comparison.model_copy(
        update={
            "baseline": comparison.baseline.model_copy(update=baseline),
            "candidate": comparison.candidate.model_copy(update=candidate),
        }
    )


def test_an_unequal_start_is_said() -> None:
    source = {"detector": WeightsSource(name="yolo11n.pt", digest="d" * 64)}
    whole = Start(sources=source, tensors=499, of_tensors=499, values=2_600_000, of_values=2_600_000)
    part = Start(sources=source, tensors=312, of_tensors=475, values=1_240_000, of_values=1_860_000)
    assert (
        "Not only the backbone differs: mnv1_n starts from yolo11n.pt (67% of its values are pretrained), yolo11n "
        "from yolo11n.pt (100% of its values are pretrained)."
    ) in sentences.reason(with_arms({"start": whole}, {"start": part}))
    assert "Not only" not in sentences.reason(with_arms({"start": whole}, {"start": whole}))


def from_files(**files: str) -> Start:
    """A start of which the share depends on the names, as it does on the backbone."""
    values = len("".join(files.values()))
    sources = {role: WeightsSource(name=name, digest="d" * 64) for role, name in files.items()}
    return Start(sources=sources, tensors=100, of_tensors=475, values=values, of_values=100)


@pytest.mark.parametrize(
    ("baseline", "candidate", "said"),
    [
        ("yolo11n-cls.pt", "mobilenet_v1_0.25_224", "ImageNet weights (yolo11n-cls.pt, mobilenet_v1_0.25_224)"),
        ("yolo11s-cls.pt", "mobilenet_2_5_224_tf_no_top.h5", "ImageNet weights (yolo11s-cls.pt, mobilenet_2_5_"),
        ("mobilenetv1_100", "mobilenetv1_100", "ImageNet weights (mobilenetv1_100)"),
        ("yolo11n-cls.pt", "mine.pt", "pretrained weights (yolo11n-cls.pt, mine.pt)"),
        ("my-yolo11n-cls.pt", "mobilenetv1_100", "pretrained weights (my-yolo11n-cls.pt, mobilenetv1_100)"),
    ],
)
@pytest.mark.parametrize("others", [{}, {"detector": "coco.pt"}])
def test_two_pretrained_backbones_are_an_equal_start_which_is_said(
    baseline: str, candidate: str, said: str, others: dict[str, str]
) -> None:
    starts = [{"start": from_files(**others, backbone=name)} for name in (baseline, candidate)]
    reason = sentences.reason(with_arms(*starts))
    assert f"Both backbones start from {said}" in reason
    assert "Not only" not in reason


def test_a_pretrained_backbone_against_a_random_one_is_an_unequal_start() -> None:
    pretrained = {"start": from_files(backbone="yolo11n-cls.pt", detector="coco.pt")}
    for other, named in ((RANDOM, "random weights"), (from_files(detector="coco.pt"), "coco.pt (7% of its")):
        reason = sentences.reason(with_arms(pretrained, {"start": other}))
        assert f"Not only the backbone differs: mnv1_n starts from {named}" in reason
        assert "Both backbones" not in reason


def test_a_teacher_of_one_arm_alone_is_said() -> None:
    teacher = {"teachers": (Teacher(name="yolo11n s0", digest="t" * 64, dis=6.0),)}
    said = "Not only the backbone differs: mnv1_n was taught by yolo11n s0, yolo11n by nobody."
    assert said in sentences.reason(with_arms({}, teacher))
    taught = sentences.reason(with_arms(teacher, teacher))
    assert "Not only" not in taught
    assert "Both models were taught by yolo11n s0." in taught


@pytest.mark.parametrize(
    ("split", "measured"),
    [("test", "mAP50-95 0.610 on val, 0.580 on test"), ("val", "mAP50-95 0.610 on val")],
)
def test_how_good_a_trained_teacher_is_stands_behind_its_name(split: str, measured: str) -> None:
    trained = TrainedTeacher(backbone="yolo11s", seed=0, weights_digest="t" * 64, map50_95=0.58, val_map50_95=0.61)
    teacher = {"teachers": (Teacher(name="yolo11s", digest="t" * 64, dis=6.0),)}
    told = {"teacher": trained, "split": split}
    both = with_arms(teacher, teacher).model_copy(update=told)
    assert f"Both models were taught by yolo11s ({measured})." in sentences.reason(both)
    one = with_arms({}, teacher).model_copy(update=told)
    said = f"Not only the backbone differs: mnv1_n was taught by yolo11s ({measured}), yolo11n by nobody."
    assert said in sentences.reason(one)


def test_two_arms_of_one_backbone_are_told_apart() -> None:
    comparison = with_arms({}, {"backbone": "yolo11n"})
    assert sentences.names(comparison) == ("yolo11n (baseline)", "yolo11n (candidate)")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_sentence_goes_through_the_translator(verdict: Verdict) -> None:
    """A translator that knows nothing but one word for every message leaves no English behind."""
    comparison = comparison_with(
        verdict=verdict, guards=RARE | {"without_rare": "worse", "candidates": 3, "few_scenes": "caveat", "scenes": 8}
    )
    for sentence in (sentences.headline, sentences.reason, sentences.settling, sentences.certainty, sentences.question):
        assert set(sentence(comparison, lambda message: "词")) <= {"词", " "}
