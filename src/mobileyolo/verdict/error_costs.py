"""What each kind of error costs in AP50, on any resample of the images, after TIDE (arXiv 2008.08115).

TIDE corrects the errors of one kind only, and the cost is by how much AP50 rises:

    location, class                the most confident error at a label that no box found becomes a true positive of the
                                   label's class; all others are removed
    both, duplicate, background    the box is removed
    missed                         the label is removed

Each kind is corrected alone, so the costs do not add up to 1 - AP50: without its most frequent kind of error, a model's
other errors weigh differently.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mobileyolo.core.results import Statistics
from mobileyolo.verdict.error_types import TRUE_POSITIVE, ClassifiedBoxes, classify
from mobileyolo.verdict.precision_recall import PrecisionRecall
from mobileyolo.verdict.records import ERROR_KINDS, ErrorKind
from mobileyolo.verdict.sorted_predictions import FloatArray, SortedPredictions


class ErrorCosts:
    """AP50 that each kind of error costs one model, as a function of how often each image was drawn.

    AP50 is the mean over the labelled classes by Ultralytics' rule, as the report's mAP50, but of the BOXES_AN_IMAGE
    most confident predictions of each image, which have boxes, and with TIDE's true positives (see error_types.py).
    A class of which all labels are missed is left out of the mean once they are removed: it then has no label.
    """

    def __init__(self, statistics: Statistics) -> None:
        """Classify all predictions that have a box, and correct each kind of error."""
        boxes = classify(statistics)
        versions = [boxes, *(correct(boxes, kind) for kind in ERROR_KINDS)]
        # Class c of version v gets the number v * classes + c, so that one pass over the rows measures all versions.
        classes = len(statistics.names)
        predictions, labels = (
            pd.concat([table.assign(class_id=table["class_id"] + v * classes) for v, table in enumerate(tables)])
            for tables in (
                [_up_to_last_true_positive(version.predictions) for version in versions],
                [version.labels for version in versions],
            )
        )
        predictions = predictions.assign(tp_50=predictions["outcome"] == TRUE_POSITIVE)
        self._predictions = SortedPredictions.of(
            replace(statistics, predictions=predictions, targets=labels), thresholds=("tp_50",)
        )
        self._precision_recall = PrecisionRecall(self._predictions)
        self._version = np.unique(labels["class_id"].to_numpy()) // classes

    @property
    def images(self) -> int:
        """Number of images."""
        return self._predictions.images

    def __call__(self, weights: npt.ArrayLike) -> FloatArray:
        """The costs on a resample.

        Args:
            weights: how often each image was drawn, shape (images,), whole numbers.

        Returns:
            AP50 (0 to 1) lost to each kind, in the order of ERROR_KINDS, shape (6,); 0 if no labelled image was drawn.
        """
        weights = np.asarray(weights, dtype=np.float64)
        labels = weights @ self._predictions.labels
        if not labels.any():
            return np.zeros(len(ERROR_KINDS))
        curves = self._precision_recall.curves(labels, self._predictions.row_weights(weights))
        version, versions = self._version[np.flatnonzero(labels)], len(ERROR_KINDS) + 1
        sums = np.bincount(version, curves.average_precision()[0], versions)
        ap50 = sums / np.maximum(np.bincount(version, minlength=versions), 1)
        costs: FloatArray = np.maximum(ap50[1:] - ap50[0], 0)  # no correction lowers AP50, but rounding can
        return costs


def correct(boxes: ClassifiedBoxes, kind: ErrorKind) -> ClassifiedBoxes:
    """The boxes without errors of one kind, all others left as they are."""
    wrong = boxes.predictions["outcome"] == kind
    found = boxes.predictions[wrong & boxes.predictions["would_find"]]
    class_id = boxes.labels["class_id"].to_numpy()[found["label"]]
    predictions = pd.concat([boxes.predictions[~wrong], found.assign(class_id=class_id, outcome=TRUE_POSITIVE)])
    missed = boxes.labels["outcome"] == kind
    return ClassifiedBoxes(predictions.sort_index(), boxes.labels[~missed])


def _up_to_last_true_positive(predictions: pd.DataFrame) -> pd.DataFrame:
    """Without the predictions of each class that are less confident than all true positives: they change no AP."""
    true_positives = predictions[predictions["outcome"] == TRUE_POSITIVE]
    last = true_positives.groupby("class_id")["confidence"].min()
    return predictions[predictions["confidence"] >= predictions["class_id"].map(last)]
