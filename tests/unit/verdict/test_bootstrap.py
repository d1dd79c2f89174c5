from __future__ import annotations

import numpy as np
import pandas as pd

from mobileyolo.core.results import Statistics
from mobileyolo.verdict.bootstrap import Scenes, draws, paired_bootstrap
from mobileyolo.verdict.interval import image_half_widths
from mobileyolo.verdict.metrics import WeightedMetrics, mean_over_classes
from tests.synthetic_results import make_statistics, with_changes


def test_a_model_never_differs_from_itself() -> None:
    metrics = [WeightedMetrics(make_statistics(seed)) for seed in range(2)]
    baseline, candidate = np.moveaxis(paired_bootstrap(metrics, metrics, draws(np.arange(70), 10, 0)), 1, 0)
    np.testing.assert_array_equal(baseline, candidate)


def test_the_images_of_a_scene_come_together() -> None:
    scenes = np.array([0, 1, 1, 2, 0])
    drawn = np.array(list(draws(scenes, 200, 0)))
    for scene in range(3):
        assert np.ptp(drawn[:, scenes == scene], axis=1).max() == 0
    one_of_each = drawn[:, [0, 1, 3]]
    assert (one_of_each.sum(1) == 3).all()  # as many scenes as there are
    assert abs(one_of_each.mean(0) - 1).max() < 0.2


def test_one_seed_of_the_generator_gives_one_result() -> None:
    first, again, other = (np.array(list(draws(np.arange(20), 5, seed))) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def copied(statistics: Statistics, copies: int) -> Statistics:
    """The same images and predictions, many times over."""
    count = len(statistics.images)

    def again(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat(
            [table.assign(image=table["image"] + count * copy) for copy in range(copies)], ignore_index=True
        )

    images = pd.concat([statistics.images] * copies, ignore_index=True)
    predictions, targets = again(statistics.predictions), again(statistics.targets)
    return with_changes(statistics, images=images, predictions=predictions, targets=targets)


def half_width(arms: list[Statistics], scenes: Scenes) -> float:
    baseline, candidate = ([WeightedMetrics(each)] for each in arms)
    drawn = mean_over_classes(paired_bootstrap(baseline, candidate, draws(scenes, 300, 0)))[..., :1]
    once = np.ones(scenes.size)
    by_seed = np.array([[model(once)[:1] for model in arm] for arm in (baseline, candidate)])
    return float(np.mean(image_half_widths(by_seed, drawn, int(scenes.max()) + 1, 0.95)))


def test_copies_of_the_images_do_not_make_the_interval_narrower_if_they_count_as_one_scene() -> None:
    arms = [make_statistics(seed, images=72) for seed in range(2)]
    four_times = [copied(each, 4) for each in arms]
    alone = half_width(arms, np.arange(72))
    assert 0.9 <= half_width(four_times, np.tile(np.arange(72), 4)) / alone <= 1.1
    # Taken for independent, they would halve it.
    assert 0.4 <= half_width(four_times, np.arange(288)) / alone <= 0.6
