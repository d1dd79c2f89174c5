"""Ultralytics' detection metrics on any resample of the evaluated images, and the paired bootstrap made of them.

A bootstrap draws images with replacement. Instead of copying the rows of an image that was drawn three times, the
image weighs 3: the rows are sorted once, and a resample costs a few cumulative sums. What comes out is what
Ultralytics 8.4 (utils/metrics.py: ap_per_class, compute_ap, smooth) gives for the copied rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mobileyolo.core.records import METRICS, TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import Statistics

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

RECALLS = np.linspace(0, 1, 101)  # where average precision reads the precision-recall curve
TRAPEZOID = np.full(101, 0.01)  # weight of each recall in the area under the curve
TRAPEZOID[[0, -1]] = 0.005
CONFIDENCES = np.linspace(0, 1, 1000)  # among them is the one with the highest F1
F1_SMOOTHING = 101  # CONFIDENCES, the width of the box filter over the F1 curve
EPSILON = 1e-16  # keeps F1 defined where precision and recall are both 0


class WeightedMetrics:
    """The metrics of one model, as a function of how often each image counts.

    Rows with equal confidence stay in the order of their images. Ultralytics leaves that order to an unstable sort,
    so only there can its last digits differ.
    """

    def __init__(self, statistics: Statistics) -> None:
        classes, target_class = np.unique(statistics.targets["class_id"].to_numpy(), return_inverse=True)
        self.images, self.classes = len(statistics.images), classes.size  # classes: those with a label
        self._labels = np.zeros((self.images, self.classes))
        np.add.at(self._labels, (statistics.targets["image"].to_numpy(), target_class), 1)

        # Predictions of classes without a label don't count. Above the most confident row of each class stands a
        # head, which is no prediction: it belongs to an image of its own that is always drawn.
        rows = statistics.predictions[statistics.predictions["class_id"].isin(classes)]
        row_class = np.append(np.arange(self.classes), np.searchsorted(classes, rows["class_id"].to_numpy()))
        confidence = np.append(np.full(self.classes, np.inf), rows["confidence"].to_numpy(dtype=np.float64))
        order = np.lexsort((-confidence, row_class))
        self._class, confidence = row_class[order], confidence[order]
        self._image = np.append(np.full(self.classes, self.images), rows["image"].to_numpy())[order]
        self._head = np.searchsorted(self._class, np.arange(self.classes + 1))
        self._is_head = np.isinf(confidence)
        self._confidence = np.where(self._is_head, 0, confidence)
        # The last row, maybe the head, that is at least as confident as each of CONFIDENCES.
        self._last_above = np.zeros((self.classes, CONFIDENCES.size), dtype=np.int64)
        for last_above, head, end in zip(self._last_above, self._head, self._head[1:], strict=False):
            last_above[:] = head - 1 + np.searchsorted(-confidence[head:end], -CONFIDENCES, side="right")

        # True positives in groups, one for each threshold and in it each class; rows in order within a group.
        true_positive = np.zeros((order.size, len(TRUE_POSITIVE_COLUMNS)), dtype=bool)
        true_positive[~self._is_head] = rows[list(TRUE_POSITIVE_COLUMNS)].to_numpy(dtype=bool)[
            order[~self._is_head] - self.classes
        ]
        self._hit_50 = true_positive[:, 0].astype(np.float64)
        threshold, self._hit = np.nonzero(true_positive.T)
        self._hit_head = self._head[self._class[self._hit]]
        self._group = threshold * self.classes + self._class[self._hit]
        self._group_start = np.searchsorted(self._group, np.arange(true_positive.shape[1] * self.classes + 1))

    def __call__(self, weights: npt.ArrayLike) -> Array:
        """The metrics of a resample.

        Args:
            weights: how often each image was drawn, shape (images,), whole numbers.

        Returns:
            In the order of METRICS, shape (4,); all 0 where no labelled image was drawn.
        """
        weights = np.asarray(weights, dtype=np.float64)
        labels = weights @ self._labels
        if not labels.any():
            return np.zeros(len(METRICS))
        row_weights = np.append(weights, 1)[self._image]
        average_precision = self._envelope(labels, row_weights).average_precision()
        precision, recall = self._at_best_f1(labels, row_weights)
        return np.array([average_precision[0].mean(), average_precision.mean(), precision, recall])

    def precision_recall_curve(self) -> Array:
        """Precision at each of RECALLS, IoU threshold 0.5, mean over the labelled classes; shape (101,)."""
        if not self.classes:
            return np.zeros_like(RECALLS)
        curves = self._envelope(self._labels.sum(0), np.ones(self._image.size)).curves(threshold=0)
        mean: Array = curves.mean(0)
        return mean

    def _envelope(self, labels: Array, row_weights: Array) -> _Envelope:
        """Precision-recall curves of the classes that were drawn.

        Only the true positives matter. Between the k-th and the next, a curve goes straight from the envelope at
        the last row before the next one to the envelope at that one; past the last true positive it is 0.
        """
        shape = (len(TRUE_POSITIVE_COLUMNS), self.classes)
        hit_weights = row_weights[self._hit]
        hits = np.append(0, np.cumsum(hit_weights))
        group_offset = hits[self._group_start]
        found = hits[1:] - group_offset[self._group]  # true positives in the group up to and with each
        rows = np.cumsum(row_weights)
        rank = rows[self._hit] - rows[self._hit_head]  # predictions, likewise
        # Highest precision from here to the group's end, for all groups in one pass: a step of 1 between groups
        # keeps a later group from reaching into an earlier one.
        step = shape[0] * shape[1] - self._group
        precision = found / np.maximum(rank, 1)
        highest = np.maximum.accumulate((precision + step)[::-1])[::-1] - step

        drawn = np.flatnonzero(labels)
        count = labels[drawn, None]
        passed = np.floor(RECALLS * count)  # true positives with a recall of at most x, if all are found
        passed += (passed + 1) / count <= RECALLS  # the product rounds; only the quotient is a recall
        passed -= passed / count > RECALLS
        # Many recalls lie between the same two true positives: one knot stands for them.
        is_new = np.ones(passed.shape, dtype=bool)
        is_new[:, 1:] = passed[:, 1:] != passed[:, :-1]
        knot = np.cumsum(is_new).reshape(passed.shape) - 1
        knot_class, knot_passed = np.repeat(drawn, is_new.sum(1)), passed[is_new]

        total = np.diff(group_offset).reshape(shape)[:, knot_class]
        reached = knot_passed < total
        copies = np.repeat(np.arange(self._hit.size), hit_weights.astype(np.int64))  # row of each copy in the resample
        position = group_offset[:-1].reshape(shape)[:, knot_class] + knot_passed
        following = copies[position[reached].astype(np.int64)]  # the next true positive after each knot
        before, after = np.zeros(reached.shape), np.zeros(reached.shape)
        after[reached] = highest[following]
        tp = np.broadcast_to(knot_passed, reached.shape)[reached]
        rows_before = tp + (rank - found)[following]
        # Where nothing stands before the first true positive, the curve starts at precision 1.
        before[reached] = np.maximum(
            np.divide(tp, rows_before, out=np.ones_like(tp), where=rows_before > 0), after[reached]
        )
        return _Envelope(before, after, knot, along=RECALLS * count - passed)

    def _at_best_f1(self, labels: Array, row_weights: Array) -> tuple[float, float]:
        """Precision and recall, means over the classes drawn, where the smoothed mean F1 is highest."""
        drawn = np.flatnonzero(row_weights)
        row_class, is_head = self._class[drawn], self._is_head[drawn]
        confidence, hit = self._confidence[drawn], self._hit_50[drawn]
        rows, hits = np.cumsum(row_weights[drawn]), np.cumsum(row_weights[drawn] * hit)
        head = np.flatnonzero(is_head)
        rows -= rows[head][row_class]
        hits -= hits[head][row_class]
        # At the last copy of each row, and at the first copy of the one that follows.
        labels_of_row = np.maximum(labels, 1)[row_class]
        precision, recall = hits / np.maximum(rows, 1), hits / labels_of_row
        hits[:-1] += hit[1:]
        next_precision, next_recall = hits / (rows + 1), hits / labels_of_row
        # A straight line over the confidence joins them; above the first row and below the last, it is level.
        gap = confidence - np.append(confidence[1:], 1)
        joined = (gap > 0) & ~np.append(is_head[1:], True) & ~is_head
        slope = np.divide(1, gap, out=np.zeros_like(gap), where=joined)
        precision_slope, recall_slope = (next_precision - precision) * slope, (next_recall - recall) * slope
        precision[head] = np.diff(np.append(head, drawn.size)) > 1  # 1 above the first row, 0 where there is none

        at = (np.cumsum(row_weights > 0) - 1)[self._last_above[labels > 0]]
        below = confidence[at] - CONFIDENCES
        precision, recall = precision[at] + below * precision_slope[at], recall[at] + below * recall_slope[at]
        f1 = (2 * precision * recall / (precision + recall + EPSILON)).mean(0)
        padded = np.pad(f1, F1_SMOOTHING // 2, mode="edge")
        best = np.convolve(padded, np.full(F1_SMOOTHING, 1 / F1_SMOOTHING), mode="valid").argmax()
        return float(precision[:, best].mean()), float(recall[:, best].mean())


@dataclass(frozen=True)
class _Envelope:
    """Precision-recall curves in short: each recall of RECALLS lies between two true positives, at a knot.

    before, after: precision at the knot's two ends, shape (thresholds, knots).
    knot: of each recall, shape (classes, 101); a class's knots are consecutive.
    along: where between the two ends each recall lies, 0 to 1, likewise.
    """

    before: Array
    after: Array
    knot: Indices
    along: Array

    def average_precision(self) -> Array:
        """Area under each curve, by the trapezoidal rule; shape (thresholds, classes)."""
        knot, weight_after = self.knot.ravel(), self.along * TRAPEZOID
        area = self.after * np.bincount(knot, weight_after.ravel())
        area += self.before * np.bincount(knot, (TRAPEZOID - weight_after).ravel())
        areas: Array = np.add.reduceat(area, self.knot[:, 0], axis=1)
        return areas

    def curves(self, threshold: int) -> Array:
        """Precision at each of RECALLS, shape (classes, 101)."""
        before, after = self.before[threshold][self.knot], self.after[threshold][self.knot]
        curves: Array = before + self.along * (after - before)
        return curves


def paired_bootstrap(
    baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], resamples: int, seed: int
) -> Array:
    """Draw images with replacement again and again, and take the candidate's lead on each draw.

    Both arms get the same draw, so what is hard for both cancels out.

    Args:
        baseline: one for each seed, all on the same images.
        candidate: likewise, in the same order of seeds.
        resamples: how many draws.
        seed: of the draws.

    Returns:
        candidate - baseline, each the mean over the seeds; shape (resamples, 4), columns as METRICS.
    """
    generator = np.random.default_rng(seed)
    images = baseline[0].images
    draws = (np.bincount(generator.integers(images, size=images), minlength=images) for _ in range(resamples))
    return np.array([leads(baseline, candidate, draw).mean(0) for draw in draws])


def leads(baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], weights: npt.ArrayLike) -> Array:
    """Candidate - baseline with each seed on one draw of images; shape (seeds, 4), columns as METRICS."""
    return np.array([after(weights) - before(weights) for before, after in zip(baseline, candidate, strict=True)])


def luck_of_training(leads_by_seed: Array, confidence: float, seed_sd: float) -> Array:
    """Half-width of the interval that other seeds alone would give; shape (4,).

    Args:
        leads_by_seed: candidate - baseline of each seed, shape (seeds, 4).
        confidence: of the interval, in (0, 1).
        seed_sd: standard deviation of one model's metric over seeds, assumed where a single seed can't show it.
    """
    seeds = len(leads_by_seed)
    upper = (1 + confidence) / 2
    if seeds == 1:
        # A difference of two models varies by both.
        return np.full(leads_by_seed.shape[1], stats.norm.ppf(upper) * np.sqrt(2) * seed_sd)
    # Student's t, because few seeds also leave their own spread in doubt.
    half_width: Array = stats.t.ppf(upper, seeds - 1) * leads_by_seed.std(0, ddof=1) / np.sqrt(seeds)
    return half_width
