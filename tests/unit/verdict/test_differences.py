from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mobileyolo.core.records import METRICS
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.differences import Differences, Rule
from mobileyolo.verdict.interval import difference
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import ERROR_KINDS
from tests.synthetic_results import make_arms, make_result, make_statistics, with_changes

OPTIONS = VerdictOptions(confidence=0.95, resamples=100, seed_sd=0.01, margin=0.01, seed=0)


def rule_of(images: int = 70, scenes: int | None = None, sd: float = 0.01) -> Rule:
    return Rule(OPTIONS, np.arange(images) % (scenes or images), dict.fromkeys(METRICS, sd), assumed_degrees=4)


def compared(baseline: list[ArmResult], candidate: list[ArmResult], **rule: int) -> Differences:
    return Differences.of(baseline, candidate, rule_of(**rule))


def test_both_parts_of_an_interval_add_in_quadrature() -> None:
    for metric in compared(*make_arms(0.6, 0.8)).metrics.values():
        assert metric.low == pytest.approx(metric.delta - np.hypot(metric.images_below, metric.luck), abs=3e-6)
        assert metric.high == pytest.approx(metric.delta + np.hypot(metric.images_above, metric.luck), abs=3e-6)
        assert metric.luck == pytest.approx(2.776445 * 0.01 * 2**0.5, abs=2e-6)


def test_a_single_scene_leaves_every_interval_open() -> None:
    differences = compared(*make_arms(0.6, 0.8), scenes=1)
    for metric in differences.metrics.values():
        assert metric.low <= metric.delta - 1 or metric.low == -1
        assert metric.verdict == "inconclusive"
    for each in differences.classes:
        assert each.high - each.low >= 1


def test_images_tied_in_scenes_widen_the_part_of_the_images() -> None:
    arms = make_arms(0.6, 0.8)
    alone, tied = (compared(*arms, scenes=scenes).metrics["map50_95"] for scenes in (70, 6))
    assert tied.images_below + tied.images_above > alone.images_below + alone.images_above
    assert (tied.delta, tied.luck) == (alone.delta, alone.luck)


def test_the_classes_come_with_the_largest_loss_first() -> None:
    differences = compared(*make_arms(0.8, 0.6))
    deltas = [each.delta for each in differences.classes]
    assert deltas == sorted(deltas)
    assert sorted(each.name for each in differences.classes) == ["platelet", "red", "white"]
    for each in differences.classes:
        assert each.delta == pytest.approx(difference(differences.class_by_seed)[each.class_id], abs=1e-6)


def test_the_intervals_of_all_classes_together_are_wider_than_those_of_each_alone() -> None:
    """Two times 1.96 standard errors are 95 % for one class; for ten at once more are needed."""
    names = tuple(f"class {number}" for number in range(10))
    arms = make_arms(names=names, boxes_per_image=20, false_per_image=3, images=40)
    differences = Differences.of(*arms, rule_of(40, sd=0))
    error = np.nanstd(difference(differences.class_draws), axis=0, ddof=1)
    factor = {each.class_id: (each.high - each.low) / 2 / error[each.class_id] for each in differences.classes}
    times = np.array(list(factor.values())) / (40 / 39) ** 0.5 / stats.t.ppf(0.975, 39) * stats.norm.ppf(0.975)
    assert np.ptp(times) < 0.01 * times.mean()  # one multiple for all of them
    # Bonferroni's is 2.81 for ten normal classes.
    assert 2.3 < times.mean() < 3.6


def test_the_intervals_of_all_classes_hold_together() -> None:
    """Two equal detectors: in nearly all comparisons all of the classes' intervals hold 0 at once."""
    held = []
    for number in range(20):
        arms = make_arms(detectors=number, scenes=number, images=20, false_per_image=3)
        held.append(all(each.low <= 0 <= each.high for each in Differences.of(*arms, rule_of(20, sd=0)).classes))
    # If they hold in 95 % of the cases, fewer than 16 of 20 come with a probability of 0.3 %.
    assert sum(held) >= 16


def test_draws_without_any_label_leave_the_intervals_finite() -> None:
    """Only one of six images is labelled, so that many draws have no label."""
    statistics = [make_statistics(seed, images=6, names=("red",), boxes_per_image=8) for seed in range(2)]
    arms = [
        [make_result(arm, "yolo11n", with_changes(each, targets=each.targets.query("image == 0")))]
        for arm, each in zip(("baseline", "candidate"), statistics, strict=True)
    ]
    differences = compared(*arms, images=6)
    assert np.isnan(differences.class_draws).any()
    for each in (*differences.classes, *differences.metrics.values()):
        assert np.isfinite([each.low, each.high]).all()


def test_deployed_metrics_are_means_over_the_seeds_with_paired_intervals() -> None:
    baseline, candidate = make_arms(0.6, 0.8, seeds=2)
    deployed = compared(baseline, candidate).deployed
    for name in ("precision", "recall", "f1"):
        each = deployed[name]
        assert each.baseline == pytest.approx(np.mean([getattr(r.metrics, name) for r in baseline]), abs=1e-6)
        assert each.candidate == pytest.approx(np.mean([getattr(r.metrics, name) for r in candidate]), abs=1e-6)
        assert each.interval is not None
        assert each.interval.low < each.interval.delta < each.interval.high


@pytest.mark.filterwarnings("error")
def test_a_model_that_predicts_nothing_has_no_precision() -> None:
    baseline, candidate = make_arms()
    silent = [
        make_result(
            "candidate",
            "mnv1_n",
            with_changes(each.statistics, predictions=each.statistics.predictions[:0], boxes=each.statistics.boxes[:0]),
        )
        for each in candidate
    ]
    deployed = compared(baseline, silent).deployed
    assert deployed["precision"].baseline is not None
    assert (deployed["precision"].candidate, deployed["precision"].interval) == (None, None)
    assert deployed["recall"].candidate == deployed["f1"].candidate == 0
    assert deployed["recall"].interval is not None


def test_errors_come_in_the_order_of_their_kinds() -> None:
    errors = compared(*make_arms(0.6, 0.8)).errors
    assert tuple(each.kind for each in errors) == ERROR_KINDS
    for each in errors:
        assert each.low <= each.delta <= each.high
        assert each.delta == pytest.approx(each.candidate - each.baseline, abs=2e-6)
