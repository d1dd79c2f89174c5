from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import Statistics
from mobileyolo.verdict.best_f1 import CONFIDENCES, BestF1
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.precision_recall import RECALLS, PrecisionRecall
from mobileyolo.verdict.sorted_predictions import SortedPredictions
from tests.synthetic_results import make_statistics, with_changes

EIGHTY = tuple(f"class {number}" for number in range(80))


def by_ultralytics(statistics: Statistics, weights: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """METRICS as Ultralytics computes them when each row is copied as often as its image was drawn."""
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
    # Within a class, rows of one confidence are all right or all wrong, so their order does not matter.
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


@pytest.fixture
def example() -> SortedPredictions:
    """The worked example of precision_recall.py and best_f1.py: two images with a labelled box each, three rows."""
    hits = [True, False, True]
    predictions = pd.DataFrame({"image": [0, 1, 1], "class_id": 0, "confidence": [0.9, 0.8, 0.7]})
    statistics = with_changes(
        make_statistics(0, images=2, names=("one",)),
        predictions=predictions.assign(**dict.fromkeys(TRUE_POSITIVE_COLUMNS, hits)),
        targets=pd.DataFrame({"image": [0, 1], "class_id": 0}),
    )
    return SortedPredictions.of(statistics)


LABELS, WEIGHTS = np.array([3.0]), np.array([2.0, 1.0])  # the first image drawn twice


def test_the_worked_example_of_the_precision_recall_curve(example: SortedPredictions) -> None:
    curves = PrecisionRecall(example).curves(LABELS, example.row_weights(WEIGHTS))
    (precision,) = curves.precision(threshold=0)
    read = {recall: precision[round(100 * recall)] for recall in (0.0, 0.3, 0.5, 0.8, 0.99, 1.0)}
    assert read == {0.0: 1, 0.3: 1, 0.5: 1, 0.8: 0.75, 0.99: 0.75, 1.0: 0}
    assert curves.along[0, 80] == pytest.approx(0.4)
    np.testing.assert_array_equal(curves.start[0], [1, 1, 0.75, 0])
    np.testing.assert_array_equal(curves.end[0], [1, 1, 0.75, 0])


def test_the_worked_example_of_metrics_over_the_confidence(example: SortedPredictions) -> None:
    (precision,), (recall,) = BestF1(example).curves(LABELS, example.row_weights(WEIGHTS))
    told = {0.95: (1, 0), 0.85: (5 / 6, 2 / 3), 0.75: ((2 / 3 + 3 / 4) / 2, (2 / 3 + 1) / 2), 0.5: (3 / 4, 1)}
    for confidence, expected in told.items():
        at = np.abs(CONFIDENCES - confidence).argmin()
        assert (precision[at], recall[at]) == pytest.approx(expected, abs=2e-3)  # thresholds are 0.001 apart
