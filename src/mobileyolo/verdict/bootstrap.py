"""How far a difference between the arms could be off: by the choice of images, and by the choice of seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.sorted_predictions import FloatArray


def paired_bootstrap(
    baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], resamples: int, seed: int
) -> FloatArray:
    """Draw images with replacement many times, and compute the difference between the arms on each draw.

    Both arms get the same draw, so that images that are hard for both do not widen the interval.

    Args:
        baseline: one for each seed, all on the same images.
        candidate: likewise, in the same order of seeds.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        candidate - baseline, each the mean over the seeds; shape (resamples, 4), columns as METRICS.
    """
    generator = np.random.default_rng(seed)
    images = baseline[0].images
    draws = (np.bincount(generator.integers(images, size=images), minlength=images) for _ in range(resamples))
    return np.array([differences(baseline, candidate, draw).mean(0) for draw in draws])


def differences(
    baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], weights: npt.ArrayLike
) -> FloatArray:
    """Candidate - baseline for each seed, on one draw of images.

    Args:
        baseline: one for each seed, all on the same images.
        candidate: likewise, in the same order of seeds.
        weights: how often each image was drawn, shape (images,).

    Returns:
        Shape (seeds, 4), columns as METRICS.
    """
    pairs = zip(baseline, candidate, strict=True)
    return np.array([candidate_model(weights) - baseline_model(weights) for baseline_model, candidate_model in pairs])


def seed_half_width(differences_by_seed: FloatArray, confidence: float, seed_sd: float) -> FloatArray:
    """Half-width of the interval that the variation between seeds alone gives; shape (4,).

    With several seeds it is measured (Student's t). With one seed it can't be measured and `seed_sd` is assumed.

    Args:
        differences_by_seed: candidate - baseline of each seed, shape (seeds, 4).
        confidence: of the interval, in (0, 1).
        seed_sd: standard deviation of one model's metric over seeds, assumed if there is one seed only.
    """
    seeds = len(differences_by_seed)
    upper = (1 + confidence) / 2
    if seeds == 1:
        # Both models vary, so the variance of their difference is twice that of one.
        return np.full(differences_by_seed.shape[1], stats.norm.ppf(upper) * np.sqrt(2) * seed_sd)
    # Student's t and not the normal distribution: the standard deviation of a few seeds is itself uncertain.
    half_width: FloatArray = stats.t.ppf(upper, seeds - 1) * differences_by_seed.std(0, ddof=1) / np.sqrt(seeds)
    return half_width
