"""How much faster is a weighted resample than Ultralytics' metrics on copied rows? Run: python -m benchmarks.bootstrap.

Both ways compute the same resamples of the same two models in turn, so a disturbance of the machine hits both, and
the ratio is the median over the resamples.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
from ultralytics.utils.metrics import ap_per_class

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import Statistics
from mobileyolo.verdict.metrics import WeightedMetrics
from tests.synthetic_results import make_statistics

# images, classes, labelled boxes an image, false positives an image, resamples
SIZES = ((70, 3, 13, 40, 100), (128, 80, 7, 60, 60), (5000, 80, 7, 80, 8))


class CopiedRows:
    """The plain way: copy the rows of every image as often as it was drawn, and hand them to Ultralytics."""

    def __init__(self, statistics: Statistics) -> None:
        self.image = statistics.predictions["image"].to_numpy()
        self.true_positive = statistics.predictions[list(TRUE_POSITIVE_COLUMNS)].to_numpy()
        self.confidence = statistics.predictions["confidence"].to_numpy()
        self.predicted_class = statistics.predictions["class_id"].to_numpy()
        self.target_image = statistics.targets["image"].to_numpy()
        self.target_class = statistics.targets["class_id"].to_numpy()

    def __call__(self, weights: npt.NDArray[np.int64]) -> float:
        """mAP50-95 of a resample."""
        rows = np.repeat(np.arange(self.image.size), weights[self.image])
        results = ap_per_class(
            self.true_positive[rows],
            self.confidence[rows],
            self.predicted_class[rows],
            np.repeat(self.target_class, weights[self.target_image]),
        )
        return float(results[5].mean())


def main() -> None:
    """Print a line for each size."""
    print("images  classes  predictions  weighted ms  copied ms  ratio   (both models, a resample)")
    for images, classes, boxes, false, resamples in SIZES:
        names = tuple(map(str, range(classes)))
        models = [
            make_statistics(seed, images=images, names=names, boxes_per_image=boxes, false_per_image=false)
            for seed in range(2)
        ]
        weighted, copied = [WeightedMetrics(model) for model in models], [CopiedRows(model) for model in models]
        generator = np.random.default_rng(0)
        times = np.zeros((resamples, 2))
        for row in times:
            weights = np.bincount(generator.integers(images, size=images), minlength=images)
            start = time.perf_counter()
            fast = [model(weights)[1] for model in weighted]
            middle = time.perf_counter()
            slow = [model(weights) for model in copied]
            row[:] = middle - start, time.perf_counter() - middle
            np.testing.assert_allclose(fast, slow, atol=1e-6)  # ties may differ, see SortedPredictions
        milliseconds = np.median(times, axis=0) * 1e3
        ratio = np.median(times[:, 1] / times[:, 0])
        rows = len(models[0].predictions)
        print(
            f"{images:6}  {classes:7}  {rows:11}  {milliseconds[0]:11.2f}  {milliseconds[1]:9.1f}  {ratio:5.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
