"""How results change with the choice of images: the same draws of scenes for all models."""

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


def paired_bootstrap(arms: Sequence[Sequence[WeightedMetrics]], weights: Iterable[FloatArray]) -> FloatArray:
    """The metrics of every model on each draw.

    All models get the same draws, so that images that are hard for both arms do not widen the interval.

    Args:
        arms: baseline and candidate; of each one model for each seed, all on the same images.
        weights: the draws.

    Returns:
        METRICS by class, shape (2, seeds, resamples, 3, classes); NaN for a class of which no label was drawn.
    """
    drawn = np.array([[[model.by_class(draw) for model in arm] for arm in arms] for draw in weights])
    return np.moveaxis(drawn, 0, 2)
