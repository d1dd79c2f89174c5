from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import Statistics
from mobileyolo.verdict.bootstrap import paired_bootstrap, seed_half_width
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.precision_recall import RECALLS
from tests.synthetic_results import make_statistics, with_changes

EIGHTY = tuple(f"class {number}" for number in range(80))


def by_ultralytics(statistics: Statistics, weights: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """METRICS as Ultralytics gives them for rows that are copied as often as their image was drawn."""
    from ultralytics.utils.metrics import Metric, ap_per_class

    copies = weights[statistics.predictions["image"].to_numpy()]
    predictions = statistics.predictions.loc[np.repeat(np.arange(copies.size), copies)]
    target_class = statistics.targets["class_id"].to_numpy()
    metric = Metric()
    metric.update(
        ap_per_class(
            predictions[list(TRUE_POSITIVE_COLUMNS)].to_numpy(),
            predictions["confidence"].to_numpy(),
            predictions["class_id"].to_numpy(),
            np.repeat(target_class, weights[statistics.targets["image"].to_numpy()]),
        )[2:]
    )
    precision, recall, map50, map50_95 = metric.mean_results()
    return np.array([map50, map50_95, precision, recall])


def without_ties(statistics: Statistics) -> Statistics:
    confidence = np.random.default_rng(0).permutation(len(statistics.predictions)) / len(statistics.predictions)
    return with_changes(statistics, predictions=statistics.predictions.assign(confidence=confidence))


def resamples(images: int, count: int) -> list[npt.NDArray[np.int64]]:
    generator = np.random.default_rng(0)
    return [np.ones(images, dtype=np.int64)] + [
        np.bincount(generator.integers(images, size=images), minlength=images) for _ in range(count)
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"images": 70},  # a small test split
        {"images": 40, "names": EIGHTY, "boxes_per_image": 7},  # most classes are absent from most resamples
        {"images": 30, "boxes_per_image": 0.7},  # images without labels
        {"images": 30, "false_per_image": 0.3, "skill": 0.1},  # images and classes without predictions
        {"images": 1, "boxes_per_image": 30},  # nothing to resample
        {"images": 200, "boxes_per_image": 15, "names": ("one",)},  # more labels than there are recalls
    ],
)
def test_metrics_of_a_resample_are_those_of_ultralytics_on_copied_rows(settings: dict[str, int]) -> None:
    statistics = without_ties(make_statistics(1, **settings))  # type: ignore[arg-type]
    metrics = WeightedMetrics(statistics)
    for weights in resamples(len(statistics.images), 8):
        np.testing.assert_allclose(metrics(weights), by_ultralytics(statistics, weights), rtol=0, atol=1e-12)


def test_equal_confidences_stay_in_the_order_of_images_as_a_stable_sort_would_leave_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    statistics = make_statistics(1, images=50)
    coarse = with_changes(statistics, predictions=statistics.predictions.round({"confidence": 1}))
    metrics = WeightedMetrics(coarse)
    # Ultralytics sorts with numpy's default, which may leave equal confidences in any order.
    monkeypatch.setattr("ultralytics.utils.metrics.np.argsort", partial(np.argsort, kind="stable"))
    for weights in resamples(50, 8):
        np.testing.assert_allclose(metrics(weights), by_ultralytics(coarse, weights), rtol=0, atol=1e-12)


def test_copies_of_equally_confident_rows_count_the_same_in_any_order() -> None:
    statistics = make_statistics(1, images=50)
    # Within a class, rows of one confidence are all right or all wrong, so that no order between them matters.
    predictions = statistics.predictions.copy()
    predictions["confidence"] = (predictions["confidence"] * 20).round() / 20 - 0.01 * predictions["tp_50"]
    predictions[list(TRUE_POSITIVE_COLUMNS)] = np.repeat(predictions[["tp_50"]].to_numpy(), 10, axis=1)
    coarse = with_changes(statistics, predictions=predictions)
    for weights in resamples(50, 8):
        np.testing.assert_allclose(
            WeightedMetrics(coarse)(weights), by_ultralytics(coarse, weights), rtol=0, atol=1e-12
        )


def test_a_labelled_class_without_predictions_counts_as_zero() -> None:
    statistics = make_statistics(1, names=("red", "white"))
    blind = with_changes(statistics, predictions=statistics.predictions.query("class_id == 0"))
    only_red = with_changes(blind, targets=statistics.targets.query("class_id == 0"))
    everything = np.ones(len(statistics.images))
    np.testing.assert_allclose(
        WeightedMetrics(blind)(everything)[:2], WeightedMetrics(only_red)(everything)[:2] / 2, atol=1e-12
    )


def test_predictions_of_a_class_without_labels_change_nothing() -> None:
    statistics = make_statistics(1)
    stray = statistics.predictions.assign(class_id=99)
    more = with_changes(statistics, predictions=pd.concat([statistics.predictions, stray], ignore_index=True))
    everything = np.ones(len(statistics.images))
    np.testing.assert_array_equal(WeightedMetrics(more)(everything), WeightedMetrics(statistics)(everything))


def test_a_resample_without_any_label_scores_zero_as_in_ultralytics() -> None:
    statistics = make_statistics(1, images=20, boxes_per_image=0.5)
    weights = np.ones(20, dtype=np.int64)
    weights[statistics.targets["image"].unique()] = 0
    assert weights.any()
    assert WeightedMetrics(statistics)(weights).tolist() == [0, 0, 0, 0]
    assert by_ultralytics(statistics, weights).tolist() == [0, 0, 0, 0]


def test_a_dataset_without_any_label_or_prediction_scores_zero() -> None:
    statistics = make_statistics(1, images=5)
    empty = with_changes(statistics, targets=statistics.targets[:0], predictions=statistics.predictions[:0])
    metrics = WeightedMetrics(empty)
    assert metrics(np.ones(5)).tolist() == [0, 0, 0, 0]
    assert not metrics.precision_recall_curve().any()


def test_the_precision_recall_curve_has_map50_below_it() -> None:
    metrics = WeightedMetrics(make_statistics(1))
    curve = metrics.precision_recall_curve()
    assert np.trapezoid(curve, RECALLS) == pytest.approx(metrics(np.ones(metrics.images))[0], abs=1e-12)
    assert (np.diff(curve) <= 1e-12).all()


def test_a_model_never_leads_itself() -> None:
    metrics = [WeightedMetrics(make_statistics(seed)) for seed in range(2)]
    assert not paired_bootstrap(metrics, metrics, resamples=10, seed=0).any()


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
def test_the_seed_half_width_is_covered_as_often_as_promised(seeds: int) -> None:
    """Leads that differ by luck alone, round a true lead of 0: Student's t covers it in 95 % of the cases."""
    generator = np.random.default_rng(0)
    leads_by_seed = generator.normal(0, 0.03, (4000, seeds, 1))
    covered = [abs(each.mean()) <= seed_half_width(each, 0.95, seed_sd=0)[0] for each in leads_by_seed]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_with_one_seed_the_seed_half_width_is_that_of_two_models() -> None:
    # 1.96 standard deviations of a difference: sqrt(2) times that of one model
    assert seed_half_width(np.zeros((1, 4)), 0.95, seed_sd=0.02) == pytest.approx([1.96 * 0.02 * 2**0.5] * 4, rel=1e-3)


def test_one_seed_of_the_generator_gives_one_result() -> None:
    arms = [WeightedMetrics(make_statistics(1))], [WeightedMetrics(make_statistics(2))]
    first, again, other = (paired_bootstrap(*arms, resamples=5, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
