"""Average precision and detection counts on any resample of the evaluated images.

Instead of copying the rows of an image that was drawn three times, the image gets weight 3. The rows are sorted once,
and a resample then costs a few cumulative sums. The results are those of Ultralytics 8.4 (utils/metrics.py:
ap_per_class) on the copied rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mobileyolo.core.records import IOU_THRESHOLDS
from mobileyolo.core.results import Detections, Statistics
from mobileyolo.verdict.precision_recall import RECALLS, PrecisionRecall
from mobileyolo.verdict.sorted_predictions import FloatArray, SortedPredictions

IOU_50, IOU_75 = IOU_THRESHOLDS.index(50), IOU_THRESHOLDS.index(75)


class WeightedMetrics:
    """The average precision of one model, as a function of how often each image was drawn."""

    def __init__(self, statistics: Detections) -> None:
        """Sort the model's predictions."""
        self._predictions = SortedPredictions.of(statistics)
        self._precision_recall = PrecisionRecall(self._predictions)

    @property
    def images(self) -> int:
        """Number of images."""
        return self._predictions.images

    @property
    def class_ids(self) -> npt.NDArray[np.int64]:
        """The labelled classes, in the order of every result; shape (classes,)."""
        return self._predictions.class_ids

    def by_class(self, weights: npt.ArrayLike) -> FloatArray:
        """Average precision of each labelled class on a resample.

        Args:
            weights: how often each image was drawn, shape (images,), whole numbers.

        Returns:
            In the order of METRICS, shape (3, classes): over ten IoU thresholds, at 0.5, at 0.75; NaN for a class of
            which no label was drawn.
        """
        weights = np.asarray(weights, dtype=np.float64)
        labels = weights @ self._predictions.labels
        values = np.full((3, labels.size), np.nan)
        if labels.any():
            row_weights = self._predictions.row_weights(weights)
            area = self._precision_recall.curves(labels, row_weights).average_precision()
            values[:, labels > 0] = area.mean(0), area[IOU_50], area[IOU_75]
        return values

    def __call__(self, weights: npt.ArrayLike) -> FloatArray:
        """The metrics of a resample, means over the classes drawn; 0 if no labelled image was drawn.

        Args:
            weights: how often each image was drawn, shape (images,), whole numbers.

        Returns:
            In the order of METRICS, shape (3,).
        """
        return mean_over_classes(self.by_class(weights))

    def precision_recall_curve(self) -> FloatArray:
        """Precision at each of RECALLS, IoU threshold 0.5, mean over the labelled classes; shape (101,)."""
        if not self._predictions.classes:
            return np.zeros_like(RECALLS)
        labels, row_weights = self._predictions.labels.sum(0), np.ones(self._predictions.image.size)
        mean: FloatArray = self._precision_recall.curves(labels, row_weights).precision(threshold=0).mean(0)
        return mean


def mean_over_classes(by_class: FloatArray) -> FloatArray:
    """Mean over the last axis without NaN; 0 where all are NaN."""
    drawn = ~np.isnan(by_class)
    mean: FloatArray = np.where(drawn, by_class, 0).sum(-1) / np.maximum(drawn.sum(-1), 1)
    return mean


def detection_counts(statistics: Statistics, confidence: float) -> FloatArray:
    """Boxes of each image at one confidence: correct ones (IoU 0.5), predicted ones, labelled ones; (images, 3).

    Args:
        statistics: of one model.
        confidence: the lowest that counts.
    """
    images = len(statistics.images)
    predicted = statistics.predictions[statistics.predictions["confidence"] >= confidence]
    correct = predicted[predicted["tp_50"]]
    rows = (table["image"].to_numpy() for table in (correct, predicted, statistics.targets))
    return np.column_stack([np.bincount(row, minlength=images) for row in rows]).astype(np.float64)


def deployed_metrics(counts: FloatArray) -> FloatArray:
    """Precision, recall and F1 over all boxes, in the order of DEPLOYED_METRICS; NaN where nothing was predicted.

    Args:
        counts: correct, predicted and labelled boxes, shape (..., 3).

    Returns:
        Shape (..., 3). Without any prediction precision is NaN, and recall and F1 are 0.
    """
    correct, predicted, labelled = np.moveaxis(counts, -1, 0)
    precision = np.divide(correct, predicted, out=np.full_like(correct, np.nan), where=predicted > 0)
    recall = np.divide(correct, labelled, out=np.full_like(correct, np.nan), where=labelled > 0)
    f1 = np.divide(2 * correct, predicted + labelled, out=np.zeros_like(correct), where=predicted + labelled > 0)
    return np.stack((precision, recall, f1), axis=-1)
