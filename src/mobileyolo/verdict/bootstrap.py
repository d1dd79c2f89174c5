"""How far a result could be off by the choice of images: the same draws of scenes for both arms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.sorted_predictions import FloatArray

Scenes = npt.NDArray[np.int64]  # of each image the number of its scene: 0, 1, 2 ...; images of one scene are tied


def draws(scenes: Scenes, resamples: int, seed: int) -> Iterator[FloatArray]:
    """Draw as many scenes as there are, with replacement, many times; the images of a scene come together.

    Args:
        scenes: of each image, shape (images,).
        resamples: number of draws.
        seed: of the draws.

    Yields:
        How often each image was drawn, shape (images,).
    """
    generator = np.random.default_rng(seed)
    count = int(scenes.max()) + 1
    for _ in range(resamples):
        drawn = np.bincount(generator.integers(count, size=count), minlength=count)
        yield drawn[scenes].astype(np.float64)


def resampled(models: Sequence[WeightedMetrics], weights: Iterable[FloatArray]) -> FloatArray:
    """Every model in every class, on each draw.

    Args:
        models: one for each seed, all on the same images.
        weights: the draws.

    Returns:
        Shape (resamples, seeds, 3, classes), METRICS by class, NaN for a class of which no label was drawn.
    """
    return np.array([[model.by_class(draw) for model in models] for draw in weights])


def paired_bootstrap(
    baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], weights: Iterable[FloatArray]
) -> FloatArray:
    """Every model of both arms in every class, on each draw.

    Both arms get the same draws, so that images that are hard for both do not widen the interval.

    Args:
        baseline: one for each seed, all on the same images.
        candidate: likewise.
        weights: the draws.

    Returns:
        Shape (resamples, 2, seeds, 3, classes), otherwise as that of `resampled`.
    """
    drawn = list(weights)
    return np.stack([resampled(arm, drawn) for arm in (baseline, candidate)], axis=1)
