"""Ultralytics' detection metrics on any resample of the evaluated images.

Instead of copying the rows of an image that was drawn three times, the image gets weight 3. The rows are sorted once,
and a resample then costs a few cumulative sums. The results are those of Ultralytics 8.4 (utils/metrics.py:
ap_per_class) on the copied rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mobileyolo.core.records import METRICS
from mobileyolo.core.results import Statistics
from mobileyolo.verdict.best_f1 import BestF1
from mobileyolo.verdict.precision_recall import RECALLS, PrecisionRecall
from mobileyolo.verdict.sorted_predictions import FloatArray, SortedPredictions


class WeightedMetrics:
    """The metrics of one model, as a function of how often each image was drawn."""

    def __init__(self, statistics: Statistics) -> None:
        """Sort the model's predictions."""
        self._predictions = SortedPredictions.of(statistics)
        self._precision_recall = PrecisionRecall(self._predictions)
        self._best_f1 = BestF1(self._predictions)

    @property
    def images(self) -> int:
        """Number of images."""
        return self._predictions.images

    def __call__(self, weights: npt.ArrayLike) -> FloatArray:
        """The metrics of a resample.

        Args:
            weights: how often each image was drawn, shape (images,), whole numbers.

        Returns:
            In the order of METRICS, shape (4,); all 0 if no labelled image was drawn.
        """
        weights = np.asarray(weights, dtype=np.float64)
        labels = weights @ self._predictions.labels
        if not labels.any():
            return np.zeros(len(METRICS))
        row_weights = self._predictions.row_weights(weights)
        average_precision = self._precision_recall.curves(labels, row_weights).average_precision()
        precision, recall = self._best_f1(labels, row_weights)
        return np.array([average_precision[0].mean(), average_precision.mean(), precision, recall])

    def precision_recall_curve(self) -> FloatArray:
        """Precision at each of RECALLS, IoU threshold 0.5, mean over the labelled classes; shape (101,)."""
        if not self._predictions.classes:
            return np.zeros_like(RECALLS)
        labels, row_weights = self._predictions.labels.sum(0), np.ones(self._predictions.image.size)
        mean: FloatArray = self._precision_recall.curves(labels, row_weights).precision(threshold=0).mean(0)
        return mean
