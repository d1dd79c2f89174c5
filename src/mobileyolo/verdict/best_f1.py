"""Precision and recall of a resample at the confidence with the highest F1, as Ultralytics 8.4 computes them (smooth).

A worked example, with the rows of the one in precision_recall.py (one class, 3 labelled boxes in the resample):

    row  confidence  true positive  weight |  at its first copy:    at its last copy:
                                           |  precision, recall     precision, recall
    1    0.9         yes            2      |  1, 1/3                1, 2/3
    2    0.8         no             1      |  2/3, 2/3              2/3, 2/3
    3    0.7         yes            1      |  3/4, 1                3/4, 1

Both metrics are functions of the confidence threshold. At the confidence of a row, they are those of its last copy.
From there to the next row, a straight line leads to the values at that row's first copy: at 0.85, halfway from row 1 to
row 2, precision is 5/6 and recall 2/3. Below the last row both stay level. Above the first row precision is 1 and
recall 0. A class of which no prediction was drawn has precision 0 and recall 0 at every threshold.

Two index systems occur, one after the other: the rows that were drawn, then class and confidence threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobileyolo.verdict.sorted_predictions import FloatArray, Indices, SortedPredictions

CONFIDENCES = np.linspace(0, 1, 1000)  # thresholds; one of them has the highest F1
F1_SMOOTHING = 101  # thresholds; width of the box filter over the F1 curve
EPSILON = 1e-16  # keeps F1 defined where precision and recall are both 0


@dataclass(frozen=True)
class _Lines:
    """By drawn row: precision and recall at its last copy, and how much they change for each unit of confidence below.

    The slopes are 0 where the curve is level.
    """

    precision: FloatArray
    recall: FloatArray
    precision_slope: FloatArray
    recall_slope: FloatArray


class BestF1:
    """Precision and recall of one model at the confidence with the highest F1, for any resample."""

    def __init__(self, predictions: SortedPredictions) -> None:
        """Look up the row that each threshold falls on."""
        self._predictions = predictions
        self._hit = predictions.true_positive[:, 0].astype(np.float64)  # at IoU 0.5
        # By class and threshold: the last row, maybe the sentinel, that is at least as confident.
        self._last_row = np.zeros((predictions.classes, CONFIDENCES.size), dtype=np.int64)
        falling = -np.where(predictions.is_sentinel, np.inf, predictions.confidence)
        starts, ends = predictions.class_start[:-1], predictions.class_start[1:]
        for last_row, start, end in zip(self._last_row, starts, ends, strict=True):
            last_row[:] = start - 1 + np.searchsorted(falling[start:end], -CONFIDENCES, side="right")

    def __call__(self, labels: FloatArray, row_weights: FloatArray) -> tuple[float, float]:
        """Precision and recall, means over the classes drawn, at the confidence with the highest smoothed mean F1.

        Args:
            labels: labelled boxes of each class in the resample, shape (classes,); not all 0.
            row_weights: how often each row of the predictions was drawn.
        """
        precision, recall = self.curves(labels, row_weights)
        f1 = (2 * precision * recall / (precision + recall + EPSILON)).mean(0)
        padded = np.pad(f1, F1_SMOOTHING // 2, mode="edge")
        best = np.convolve(padded, np.full(F1_SMOOTHING, 1 / F1_SMOOTHING), mode="valid").argmax()
        return float(precision[:, best].mean()), float(recall[:, best].mean())

    def curves(self, labels: FloatArray, row_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Precision and recall of each class drawn at each of CONFIDENCES; shape (classes drawn, 1000) each.

        Args:
            labels: as for a call.
            row_weights: likewise.
        """
        drawn = np.flatnonzero(row_weights)
        lines = self._lines(drawn, labels, row_weights[drawn])
        # By row, shape (rows,): position among the drawn rows of the last drawn row up to it.
        last_drawn = np.cumsum(row_weights > 0) - 1
        # By class drawn and threshold, shape (classes drawn, 1000): position of the drawn row where its line starts.
        line_start = last_drawn[self._last_row[labels > 0]]
        below = self._predictions.confidence[drawn][line_start] - CONFIDENCES  # likewise
        precision: FloatArray = lines.precision[line_start] + below * lines.precision_slope[line_start]
        recall: FloatArray = lines.recall[line_start] + below * lines.recall_slope[line_start]
        return precision, recall

    def _lines(self, drawn: Indices, labels: FloatArray, weights: FloatArray) -> _Lines:
        """The straight lines; see the example at the top of this file.

        Args:
            drawn: rows that were drawn, in order.
            labels: labelled boxes of each class in the resample.
            weights: how often each of the rows was drawn.
        """
        row_class, is_sentinel = self._predictions.row_class[drawn], self._predictions.is_sentinel[drawn]
        confidence, hit = self._predictions.confidence[drawn], self._hit[drawn]
        # Every sentinel is always drawn, so the sentinel of class c is the c-th one among the drawn rows too.
        drawn_sentinel = np.flatnonzero(is_sentinel)
        rows, hits = np.cumsum(weights), np.cumsum(weights * hit)
        rows -= rows[drawn_sentinel][row_class]  # since the sentinel of the class
        hits -= hits[drawn_sentinel][row_class]
        labels_of_row = np.maximum(labels, 1)[row_class]
        precision, recall = hits / np.maximum(rows, 1), hits / labels_of_row
        # Above a class's first prediction precision is 1, but 0 if no prediction of the class was drawn.
        precision[drawn_sentinel] = np.diff(np.append(drawn_sentinel, drawn.size)) > 1

        # Up to the first copy of the next row. The last row has none: it gets its own hits, no gap below it
        # (confidence - 1 is never positive) and a sentinel as its next row. So it has no line.
        next_hits = hits + np.append(hit[1:], 0)
        next_precision, next_recall = next_hits / (rows + 1), next_hits / labels_of_row
        gap = confidence - np.append(confidence[1:], 1)
        has_line = (gap > 0) & ~np.append(is_sentinel[1:], True) & ~is_sentinel
        per_unit = np.divide(1, gap, out=np.zeros_like(gap), where=has_line)
        return _Lines(precision, recall, (next_precision - precision) * per_unit, (next_recall - recall) * per_unit)
