"""The interval of a difference between the arms, and the verdict that it gives.

Two things could have come out otherwise: which images were labelled, and the luck of each training. Each gives a
half-width, and both are added in quadrature.

Luck. The seeds of one arm say nothing about those of the other, so their variances are pooled:
s^2 = (s_b^2 + s_c^2) / 2 with 2 (S - 1) degrees of freedom, and the half-width is t s sqrt(2 / S). Under three seeds
these are fewer than MIN_DEGREES, and an assumed standard deviation counts for the missing ones. So one seed has t with
4 degrees on the assumption alone, two seeds are never wider than one of equal spread, and from three seeds on all of it
is measured.

Images. The bootstrap's quantiles are those of a large sample. With N scenes they are too narrow, and are multiplied by
sqrt(N / (N - 1)) t(N - 1) / z. What one seed happens to find on these images, and another one does not, is in both
parts: in the spread over seeds, and again in the draws. Half of it is taken off the draws' variance. All of it would be
right on average, but a few seeds show it too badly: by simulation, intervals of two seeds on five images would then
cover .91 in place of .95, and those of three seeds .99 with nothing taken off (tests/unit/verdict/test_calibration.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from mobileyolo.verdict.records import Interval, Verdict
from mobileyolo.verdict.sorted_predictions import FloatArray

MIN_DEGREES = 4
CURVE_SD, CURVE_IMAGES = 0.03, 300  # mAP; training images
CURVE_RANGE = (0.003, 0.05)


@dataclass(frozen=True)
class Luck:
    """The spread of one model's metrics over seeds.

    Attributes:
        sd: standard deviation that an interval uses, by metric; shape (metrics,).
        degrees: of freedom of Student's t.
        measured: the part that this comparison's seeds show, shape (metrics,); None with one seed.
        seeds: of each arm.
    """

    sd: FloatArray
    degrees: int
    measured: FloatArray | None
    seeds: int

    def half_width(self, confidence: float, seeds: int | None = None) -> FloatArray:
        """Half-width of a difference's interval that luck alone gives, by metric.

        Args:
            confidence: of the interval, in (0, 1).
            seeds: of each arm, if there were another number of them but the same spread.
        """
        seeds = seeds or self.seeds
        degrees = max(self.degrees, 2 * (seeds - 1))
        half_width: FloatArray = special.stdtrit(degrees, (1 + confidence) / 2) * self.sd * np.sqrt(2 / seeds)
        return half_width


def luck(baseline: FloatArray, candidate: FloatArray, assumed: npt.ArrayLike, assumed_degrees: int) -> Luck:
    """Pool the variances of both arms over their seeds; below MIN_DEGREES the assumption fills what is missing.

    Args:
        baseline: by seed and metric, shape (seeds, metrics).
        candidate: likewise.
        assumed: standard deviation of one model's metrics, a number or shape (metrics,).
        assumed_degrees: of freedom of the assumption; at most MIN_DEGREES of them count.
    """
    seeds = len(baseline)
    assumed_variance = np.broadcast_to(np.asarray(assumed, dtype=np.float64) ** 2, baseline.shape[1:])
    if seeds == 1:
        return Luck(np.sqrt(assumed_variance), min(assumed_degrees, MIN_DEGREES), None, seeds)
    degrees = 2 * (seeds - 1)
    variance = (baseline.var(0, ddof=1) + candidate.var(0, ddof=1)) / 2
    missing = max(0, min(assumed_degrees, MIN_DEGREES - degrees))
    pooled = (degrees * variance + missing * assumed_variance) / (degrees + missing)
    return Luck(np.sqrt(pooled), degrees + missing, np.sqrt(variance), seeds)


def curve_sd(train_images: int) -> float:
    """Standard deviation of mAP over seeds to assume where nothing is known but the number of training images.

    0.03 at 300 images, and smaller with the cube root of their number, between 0.003 and 0.05. So COCO's 118,000 images
    have 0.004. docs/reference/measurements.md has what was measured beside it.
    """
    return float(np.clip(CURVE_SD * (CURVE_IMAGES / train_images) ** (1 / 3), *CURVE_RANGE))


def few_scenes_factor(scenes: int, confidence: float) -> float:
    """By how much the bootstrap's half-widths are too narrow with few scenes; infinite for one."""
    if scenes < 2:
        return float("inf")
    upper = (1 + confidence) / 2
    return float(np.sqrt(scenes / (scenes - 1)) * special.stdtrit(scenes - 1, upper) / special.ndtri(upper))


def difference(by_seed: FloatArray) -> FloatArray:
    """Candidate - baseline, each the mean over its seeds: shape (..., metrics) of (..., 2, seeds, metrics)."""
    means = by_seed.mean(-2)
    apart: FloatArray = means[..., 1, :] - means[..., 0, :]
    return apart


def twice_counted(by_seed: FloatArray, drawn: FloatArray) -> FloatArray:
    """Share of the draws' variance that is what the seeds of one arm differ by on these images; shape (metrics,).

    Args:
        by_seed: on all images, shape (2, seeds, metrics).
        drawn: on each draw, shape (resamples, 2, seeds, metrics).
    """
    _, seeds, metrics = by_seed.shape
    if seeds == 1:
        return np.zeros(metrics)
    changes = np.where(np.isnan(difference(by_seed)), 0, drawn - by_seed)
    own = np.nanmean(changes.var(2, ddof=1), axis=0).sum(0) / seeds
    variance = np.nanvar(difference(changes), axis=0)
    share: FloatArray = np.divide(own, variance, out=np.zeros(metrics), where=variance > 0)
    return np.minimum(share, 1)


def image_half_widths(
    by_seed: FloatArray, drawn: FloatArray, scenes: int, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Half-widths below and above a difference that the choice of images gives; shape (metrics,) each, at most 1.

    Args:
        by_seed: of baseline and candidate on all images, shape (2, seeds, metrics).
        drawn: on each draw, shape (resamples, 2, seeds, metrics).
        scenes: number of scenes that were drawn from.
        confidence: of the interval, in (0, 1).
    """
    point, tail = difference(by_seed), (1 - confidence) / 2
    if scenes < 2:
        return np.ones_like(point), np.ones_like(point)
    known = np.where(np.isnan(point), 0, difference(drawn))  # nanquantile warns of what is NaN in each draw
    low, high = np.nanquantile(known, [tail, 1 - tail], axis=0)
    factor = few_scenes_factor(scenes, confidence) * np.sqrt(1 - twice_counted(by_seed, drawn) / 2)
    below, above = (np.minimum(np.maximum(width, 0) * factor, 1) for width in (point - low, high - point))
    return below, above


def rescaled(half_width: FloatArray, scenes: int, confidence: float, other: float) -> FloatArray:
    """The images' half-width at another confidence; a few thousand draws don't show its far tails themselves."""
    if scenes < 2:
        return half_width
    upper = [(1 + each) / 2 for each in (confidence, other)]
    before, after = special.stdtrit(scenes - 1, upper)
    other_half_width: FloatArray = half_width * after / before
    return other_half_width


def at_confidence(
    delta: float, images: FloatArray, luck_half_width: float, scenes: int, confidence: float, other: float
) -> Interval:
    """A difference's interval at another confidence, such as one that holds for several intervals together.

    Args:
        delta: the difference.
        images: half-widths below and above that the choice of images gives, at `confidence`; shape (2,).
        luck_half_width: that the luck of training gives, at `other`.
        scenes: number of scenes.
        confidence: of the interval that is there.
        other: of the wanted one.
    """
    below, above = rescaled(images, scenes, confidence, other)
    low, high = max(delta - np.hypot(below, luck_half_width), -1), min(delta + np.hypot(above, luck_half_width), 1)
    return Interval(delta=round(float(delta), 6), low=round(float(low), 6), high=round(float(high), 6))


def verdict_of(low: float, high: float, margin: float) -> Verdict:
    """What an interval of candidate - baseline says, by the margin within which differences do not matter."""
    if low > margin:
        return "better"
    if high < -margin:
        return "worse"
    if -margin <= low and high <= margin:
        return "equivalent"
    if low >= -margin:
        return "no worse"
    if high <= margin:
        return "no better"
    return "inconclusive"
