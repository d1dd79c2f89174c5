"""Precision-recall curves and average precision of a resample, as Ultralytics 8.4 computes them (compute_ap).

A worked example. One class, two images: A was drawn twice, B once. Each has one labelled box, so the resample has 3.

    row  image  confidence  true positive  weight |  copies in the resample: recall, precision
    1    A      0.9         yes            2      |  1/3, 1    2/3, 1
    2    B      0.8         no             1      |  2/3, 2/3
    3    B      0.7         yes            1      |  1, 3/4

The envelope replaces each precision by the highest one at that recall or a higher one: 1, 1, 3/4, 3/4. The curve joins
these four points by straight lines. It begins at recall 0, here with precision 1 because the first row is a true
positive. From the recall of the last true positive on, it is 0.

The same without making copies: the recall only rises at true positives, so the curve consists of pieces, each between
two of them. Piece k comes after k copies of true positives. Its start is the envelope at the row before copy k + 1 of a
true positive, and its end is the envelope at copy k + 1:

    piece  recalls     start          end
    0      0 to 1/3    1 (no row)     1
    1      1/3 to 2/3  1 (row 1)      1
    2      2/3 to 1    3/4 (row 2)    3/4 (row 3)

At recall 0.8 the curve is 0.4 of the way through piece 2: 3/4.

Three index systems occur, one after the other:

1. hit: a row that is a true positive at one IoU threshold. Hits are sorted by group, a pair of threshold and class.
2. piece: a pair of class and k, if any of RECALLS lies in it.
3. threshold and piece: where the start and the end of the piece are looked up among the hits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobileyolo.verdict.sorted_predictions import FloatArray, Indices, SortedPredictions

RECALLS = np.linspace(0, 1, 101)  # where average precision reads the precision-recall curve
TRAPEZOID = np.full(101, 0.01)  # weight of each recall in the area under the curve
TRAPEZOID[[0, -1]] = 0.005


@dataclass(frozen=True)
class Curves:
    """Precision-recall curves of the classes that were drawn, at every IoU threshold.

    Attributes:
        start: precision where each piece starts, shape (thresholds, pieces).
        end: precision where it ends, likewise.
        piece: the piece that each of RECALLS lies in, shape (classes, 101); a class's pieces are consecutive.
        along: how far into its piece each recall lies, 0 to 1, likewise.
    """

    start: FloatArray
    end: FloatArray
    piece: Indices
    along: FloatArray

    def average_precision(self) -> FloatArray:
        """Area under each curve, by the trapezoidal rule; shape (thresholds, classes)."""
        piece, end_weight = self.piece.ravel(), self.along * TRAPEZOID
        area = self.end * np.bincount(piece, end_weight.ravel())
        area += self.start * np.bincount(piece, (TRAPEZOID - end_weight).ravel())
        areas: FloatArray = np.add.reduceat(area, self.piece[:, 0], axis=1)
        return areas

    def precision(self, threshold: int) -> FloatArray:
        """Precision at each of RECALLS, shape (classes, 101).

        Args:
            threshold: position of the IoU threshold in IOU_THRESHOLDS.
        """
        start, end = self.start[threshold][self.piece], self.end[threshold][self.piece]
        precision: FloatArray = start + self.along * (end - start)
        return precision


@dataclass(frozen=True)
class _Pieces:
    """The pieces in which at least one of RECALLS lies.

    Attributes:
        of_class: class of each piece.
        passed: k, the copies of true positives before it.
        of_recall: piece of each recall, shape (classes drawn, 101).
        along: how far into its piece each recall lies, likewise.
    """

    of_class: Indices
    passed: FloatArray
    of_recall: Indices
    along: FloatArray


@dataclass(frozen=True)
class _DrawnHits:
    """The hits of one resample.

    Attributes:
        weight: how often each hit was drawn.
        found: true positives in its group up to and including its last copy.
        rank: predictions in its class up to and including its last copy.
        envelope: highest precision from its last copy to the end of its group.
        before_group: copies of hits before each group, then the number of copies; shape (groups + 1,).
    """

    weight: FloatArray
    found: FloatArray
    rank: FloatArray
    envelope: FloatArray
    before_group: FloatArray


class PrecisionRecall:
    """The precision-recall curves of one model, for any resample."""

    def __init__(self, predictions: SortedPredictions) -> None:
        """List the hits of all IoU thresholds."""
        self._thresholds, self._classes = predictions.true_positive.shape[1], predictions.classes
        threshold, self._row = np.nonzero(predictions.true_positive.T)
        hit_class = predictions.row_class[self._row]
        self._sentinel_row = predictions.class_start[hit_class]
        self._group = threshold * self._classes + hit_class
        self._group_start = np.searchsorted(self._group, np.arange(self._thresholds * self._classes + 1))

    def curves(self, labels: FloatArray, row_weights: FloatArray) -> Curves:
        """The curves of a resample; see the example at the top of this file.

        Args:
            labels: labelled boxes of each class in the resample, shape (classes,); not all 0.
            row_weights: how often each row of the predictions was drawn.
        """
        hits, pieces = self._draw(row_weights), _pieces(labels)
        start, end = self._ends(hits, pieces)
        return Curves(start, end, pieces.of_recall, pieces.along)

    def _draw(self, row_weights: FloatArray) -> _DrawnHits:
        """By hit: the counts and the envelope at its last copy."""
        weight = row_weights[self._row]
        copies = np.append(0, np.cumsum(weight))
        before_group = copies[self._group_start]
        found = copies[1:] - before_group[self._group]
        rows = np.cumsum(row_weights)
        rank = rows[self._row] - rows[self._sentinel_row]
        # One running maximum from the end serves all groups: each group is lifted by 1 above the group behind it, and
        # no precision is higher than 1, so that a later group never reaches into an earlier one.
        lift = self._thresholds * self._classes - self._group
        precision = found / np.maximum(rank, 1)
        envelope = np.maximum.accumulate((precision + lift)[::-1])[::-1] - lift
        return _DrawnHits(weight, found, rank, envelope, before_group)

    def _ends(self, hits: _DrawnHits, pieces: _Pieces) -> tuple[FloatArray, FloatArray]:
        """By threshold and piece: precision at the start and at the end; 0 behind the last true positive."""
        shape = (self._thresholds, self._classes)
        total = np.diff(hits.before_group).reshape(shape)[:, pieces.of_class]
        exists = pieces.passed < total  # is there a copy k + 1?
        hit_of_copy = np.repeat(np.arange(hits.weight.size), hits.weight.astype(np.int64))
        copy = hits.before_group[:-1].reshape(shape)[:, pieces.of_class] + pieces.passed
        following = hit_of_copy[copy[exists].astype(np.int64)]  # the hit that copy k + 1 belongs to
        start, end = np.zeros(exists.shape), np.zeros(exists.shape)
        end[exists] = hits.envelope[following]
        passed = np.broadcast_to(pieces.passed, exists.shape)[exists]
        # Rows before copy k + 1: the k true positives, and all false positives before the following hit.
        rows_before = passed + (hits.rank - hits.found)[following]
        precision_before = np.divide(passed, rows_before, out=np.ones_like(passed), where=rows_before > 0)
        start[exists] = np.maximum(precision_before, end[exists])
        return start, end


def _pieces(labels: FloatArray) -> _Pieces:
    """By class drawn and recall: the piece, and the place in it."""
    drawn = np.flatnonzero(labels)
    count = labels[drawn, None]
    passed = np.floor(RECALLS * count)  # k of the piece that each recall lies in
    # The product is rounded, and then compared with k / count, which is the recall as Ultralytics computes it.
    passed += (passed + 1) / count <= RECALLS
    passed -= passed / count > RECALLS
    # Neighbouring recalls often lie in one piece, which is then computed once.
    is_new = np.ones(passed.shape, dtype=bool)
    is_new[:, 1:] = passed[:, 1:] != passed[:, :-1]
    return _Pieces(
        of_class=np.repeat(drawn, is_new.sum(1)),
        passed=passed[is_new],
        of_recall=np.cumsum(is_new).reshape(passed.shape) - 1,
        along=RECALLS * count - passed,
    )
