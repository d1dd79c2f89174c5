"""The paired bootstrap: how long it takes, and beside Ultralytics' metrics on rows that are copied for each resample.

Both ways of the second compute the same resamples of the same two models.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.workspaces import scratch

if TYPE_CHECKING:
    from mobileyolo.core.results import Statistics

LABELS = 7  # an image


def cases(scale: Scale) -> list[Case]:
    """All resamples of a large comparison, and single ones of three sizes."""
    images, resamples = (200, 20) if scale.quick else (5_000, 2_000)
    whole = Case(
        subject="bootstrap",
        name=f"{resamples:,} resamples of two models",
        unit="s",
        size={"images": images, "classes": 80, "predictions": 60 * images, "resamples": resamples},
        open=partial(_process, images, resamples),
        figure="value",
        aim=Aim("at most", 60.0),
        memory_aim_mb=2_000,
        rounds=scale.rounds(),
    )
    single = [
        Case(
            subject="bootstrap",
            name=f"a resample of two models, {images:,} images, {classes} classes",
            unit="ms",
            size={"images": images, "classes": classes},
            open=partial(_in_turn, images, classes),
            rounds=scale.rounds(20),
        )
        for images, classes in (((70, 3),) if scale.quick else ((70, 3), (128, 80), (5_000, 80)))
    ]
    return [whole, *single]


def models(images: int, classes: int) -> list[Statistics]:
    """Made-up results of two models on the same images; about 60 predictions an image."""
    from tests.synthetic_results import make_statistics

    names = tuple(map(str, range(classes)))
    values = {"images": images, "names": names, "boxes_per_image": LABELS, "false_per_image": 60 - 0.8 * LABELS}
    return [make_statistics(seed, per_class=False, **values) for seed in range(2)]  # type: ignore[arg-type]


@contextmanager
def _process(images: int, resamples: int) -> Iterator[Ways]:
    with scratch() as folder:
        command = python("benchmarks.bootstrap", str(images), str(resamples))
        yield {"paired bootstrap": lambda: run(command, folder, told=True)}


@contextmanager
def _in_turn(images: int, classes: int) -> Iterator[Ways]:
    """Both ways on the same draws; each way's n-th call is of the n-th draw."""
    from mobileyolo.verdict.metrics import WeightedMetrics

    found = models(images, classes)
    weighted, copied = [WeightedMetrics(model) for model in found], [CopiedRows(model) for model in found]

    def way(compute: list[WeightedMetrics] | list[CopiedRows]) -> Iterator[Sample]:
        for model in compute:
            model(np.ones(images, dtype=np.int64))  # what is done once only is not of a resample
        for number in count():
            drawn = np.random.default_rng(number).integers(images, size=images)
            weights = np.bincount(drawn, minlength=images)
            start = time.perf_counter()
            for model in compute:
                model(weights)
            yield Sample((time.perf_counter() - start) * 1e3)

    yield {"weighted": way(weighted).__next__, "Ultralytics on copied rows": way(copied).__next__}


class CopiedRows:
    """The plain way: copy the rows of every image as often as it was drawn, and hand them to Ultralytics."""

    def __init__(self, statistics: Statistics) -> None:
        from ultralytics.utils.metrics import ap_per_class

        from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS

        self._ap_per_class = ap_per_class
        self.image = statistics.predictions["image"].to_numpy()
        self.true_positive = statistics.predictions[list(TRUE_POSITIVE_COLUMNS)].to_numpy()
        self.confidence = statistics.predictions["confidence"].to_numpy()
        self.predicted_class = statistics.predictions["class_id"].to_numpy()
        self.target_image = statistics.targets["image"].to_numpy()
        self.target_class = statistics.targets["class_id"].to_numpy()

    def __call__(self, weights: npt.NDArray[np.int64]) -> float:
        """mAP50-95 of a resample."""
        rows = np.repeat(np.arange(self.image.size), weights[self.image])
        results = self._ap_per_class(
            self.true_positive[rows],
            self.confidence[rows],
            self.predicted_class[rows],
            np.repeat(self.target_class, weights[self.target_image]),
        )
        return float(results[5].mean())


def main() -> None:
    """Draw and compute all resamples in this process, and print the seconds."""
    from mobileyolo.verdict.bootstrap import draws, paired_bootstrap
    from mobileyolo.verdict.metrics import WeightedMetrics

    images, resamples = map(int, sys.argv[1:])
    baseline, candidate = models(images, 80)
    start = time.perf_counter()
    sorted_once = [WeightedMetrics(baseline)], [WeightedMetrics(candidate)]
    paired_bootstrap(*sorted_once, draws(np.arange(images), resamples, 0))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
