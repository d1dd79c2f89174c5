"""One model's predictions, sorted once; a resample then only needs to weight the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import Detections

FloatArray = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SortedPredictions:
    """The predictions of every labelled class, by class and then by falling confidence.

    The first row of each class is a sentinel: it is no prediction, and belongs to an extra image that is always drawn.
    Sums over a class therefore start at its sentinel, even if no prediction of the class was drawn.

    Rows with equal confidence stay in the order of their images. Ultralytics leaves that order to an unstable sort, so
    for such rows its last digits can differ.

    Attributes:
        class_ids: of the labelled classes, rising; shape (classes,).
        labels: number of labelled boxes by image and class, shape (images, classes).
        row_class: class of each row, as a column of labels.
        image: row of labels that each row belongs to; the sentinels' image is number `images`.
        confidence: of each row; 0 for a sentinel.
        is_sentinel: of each row.
        true_positive: by row and IoU threshold, shape (rows, thresholds).
        class_start: row number of each class's first row, its sentinel, then the number of rows; shape (classes + 1,).
    """

    class_ids: Indices
    labels: FloatArray
    row_class: Indices
    image: Indices
    confidence: FloatArray
    is_sentinel: npt.NDArray[np.bool_]
    true_positive: npt.NDArray[np.bool_]
    class_start: Indices

    @classmethod
    def of(cls, statistics: Detections, thresholds: Sequence[str] = TRUE_POSITIVE_COLUMNS) -> SortedPredictions:
        """Sort a model's predictions. Those of classes without a label are left out: they change no metric.

        Args:
            statistics: of the model.
            thresholds: columns of its predictions, one for each IoU threshold that is asked for.
        """
        class_ids, target_class = np.unique(statistics.targets["class_id"].to_numpy(), return_inverse=True)
        images, classes = len(statistics.images), class_ids.size
        labels = np.zeros((images, classes))
        np.add.at(labels, (statistics.targets["image"].to_numpy(), target_class), 1)

        predictions = statistics.predictions[statistics.predictions["class_id"].isin(class_ids)]
        row_class = np.append(np.arange(classes), np.searchsorted(class_ids, predictions["class_id"].to_numpy()))
        confidence = np.append(np.full(classes, np.inf), predictions["confidence"].to_numpy(dtype=np.float64))
        image = np.append(np.full(classes, images), predictions["image"].to_numpy())
        true_positive = np.zeros((confidence.size, len(thresholds)), dtype=bool)
        true_positive[classes:] = predictions[list(thresholds)].to_numpy(dtype=bool)

        order = np.lexsort((-confidence, row_class))
        row_class, confidence = row_class[order], confidence[order]
        is_sentinel = np.isinf(confidence)
        return cls(
            class_ids=class_ids.astype(np.int64),
            labels=labels,
            row_class=row_class,
            image=image[order],
            confidence=np.where(is_sentinel, 0, confidence),
            is_sentinel=is_sentinel,
            true_positive=true_positive[order],
            class_start=np.searchsorted(row_class, np.arange(classes + 1)),
        )

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number of classes that have a label."""
        return len(self.class_start) - 1

    def row_weights(self, weights: FloatArray) -> FloatArray:
        """How often each row was drawn, from how often each image was; shape (rows,)."""
        drawn: FloatArray = np.append(weights, 1)[self.image]
        return drawn
