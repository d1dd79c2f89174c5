from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import Statistics
from mobileyolo.verdict.metrics import WeightedMetrics, deployed_metrics, detection_counts
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
    return np.array([metric.map, metric.map50, metric.map75])


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
        WeightedMetrics(blind)(everything), WeightedMetrics(only_red)(everything) / 2, atol=1e-12
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
    assert WeightedMetrics(statistics)(weights).tolist() == [0, 0, 0]
    assert by_ultralytics(statistics, weights).tolist() == [0, 0, 0]


def test_a_dataset_without_any_label_or_prediction_scores_zero() -> None:
    statistics = make_statistics(1, images=5)
    empty = with_changes(statistics, targets=statistics.targets[:0], predictions=statistics.predictions[:0])
    metrics = WeightedMetrics(empty)
    assert metrics(np.ones(5)).tolist() == [0, 0, 0]
    assert not metrics.precision_recall_curve().any()


def test_the_precision_recall_curve_has_map50_below_it() -> None:
    metrics = WeightedMetrics(make_statistics(1))
    curve = metrics.precision_recall_curve()
    assert np.trapezoid(curve, RECALLS) == pytest.approx(metrics(np.ones(metrics.images))[1], abs=1e-12)
    assert (np.diff(curve) <= 1e-12).all()


@pytest.fixture
def example() -> SortedPredictions:
    """The worked example of precision_recall.py: two images with a labelled box each, three rows."""
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


def test_a_class_of_which_no_label_was_drawn_has_no_value_and_leaves_the_mean_alone() -> None:
    statistics = make_statistics(1, images=40)
    platelets = statistics.targets.query("class_id == 2")["image"].unique()
    weights = np.ones(40)
    weights[platelets] = 0
    metrics = WeightedMetrics(statistics)
    by_class = metrics.by_class(weights)
    assert metrics.class_ids.tolist() == [0, 1, 2]
    assert np.isnan(by_class).tolist() == [[False, False, True]] * 3
    np.testing.assert_allclose(metrics(weights), by_class[:, :2].mean(1))


def test_the_boxes_of_each_image_are_counted_from_the_confidence_on() -> None:
    """Each image has labelled boxes; of its predictions those count that are at least so confident."""
    predictions = pd.DataFrame(
        {"image": [0, 0, 0, 2], "class_id": 0, "confidence": [0.9, 0.5, 0.4, 0.5], "tp_50": [True, False, True, True]}
    )
    statistics = with_changes(
        make_statistics(1, images=3),
        predictions=predictions,
        targets=pd.DataFrame({"image": [0, 0, 1, 2], "class_id": 0}),
    )
    assert detection_counts(statistics, 0.5).tolist() == [[1, 2, 2], [0, 0, 1], [1, 1, 1]]
    assert detection_counts(statistics, 0.3).tolist() == [[2, 3, 2], [0, 0, 1], [1, 1, 1]]


def test_precision_recall_and_f1_are_of_all_boxes_and_precision_is_missing_where_nothing_was_predicted() -> None:
    assert deployed_metrics(np.array([6.0, 8.0, 12.0])) == pytest.approx([0.75, 0.5, 0.6])
    nothing = deployed_metrics(np.array([[0.0, 0.0, 12.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(nothing, [[np.nan, 0, 0], [np.nan, np.nan, 0]])


def test_a_class_that_is_never_predicted_does_not_lift_precision() -> None:
    statistics = make_statistics(1)
    blind = with_changes(statistics, predictions=statistics.predictions.query("class_id != 2"))
    without = with_changes(blind, targets=statistics.targets.query("class_id != 2"))
    (precision, recall, _), (expected, more, _) = (
        deployed_metrics(detection_counts(each, 0.5).sum(0)) for each in (blind, without)
    )
    assert precision == expected < 1
    assert recall < more
