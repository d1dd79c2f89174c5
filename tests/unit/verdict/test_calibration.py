"""Is the interval what it says? Many comparisons of two equal detectors, each on images and with luck of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mobileyolo.core.records import METRICS
from mobileyolo.verdict.bootstrap import paired_bootstrap
from mobileyolo.verdict.differences import Rule, metric_deltas
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import MetricDelta
from tests.synthetic_results import make_statistics

SEEDS, IMAGES = (1, 2, 3, 5), (5, 30, 72, 200)
COMPARISONS = 200
SEED_SD = 0.02
SKILL = 0.8
MAP_A_SKILL = 0.9  # mAP50-95 that a detector of `make_statistics` gains for each unit of skill, at SKILL


class Simulated(NamedTuple):
    """What the comparisons of one setting came to."""

    coverage: float  # share of the intervals that hold the true difference, which is 0
    false_verdicts: float  # share of better and worse
    half_width: float  # median


def simulated(seeds: int, images: int, comparisons: int = COMPARISONS) -> Simulated:
    """Compare equal detectors.

    How much luck varies is not known, only assumed: so each comparison has another standard deviation, spread round
    the assumed one as Student's t with four degrees of freedom takes it to be.
    """
    deltas = []
    for number in range(comparisons):
        luck = np.random.default_rng([number, seeds, images])
        sd = SEED_SD * np.sqrt(4 / luck.chisquare(4))
        deltas.append(compared(number, luck.normal(SKILL, sd / MAP_A_SKILL, (2, seeds)), images))
    inside = [delta.low <= 0 <= delta.high for delta in deltas]
    false = [delta.verdict in ("better", "worse") for delta in deltas]
    widths = [(delta.high - delta.low) / 2 for delta in deltas]
    return Simulated(float(np.mean(inside)), float(np.mean(false)), float(np.median(widths)))


def compared(number: int, skills: np.ndarray, images: int, resamples: int = 100) -> MetricDelta:
    """mAP50-95 of detectors with these skills, shape (2, seeds), on the same new images."""
    models = [
        [
            WeightedMetrics(
                make_statistics(
                    seed=1000 * number + 100 * arm + seed, skill=skill, images=images, scenes=number, per_class=False
                )
            )
            for seed, skill in enumerate(arm_skills)
        ]
        for arm, arm_skills in enumerate(skills)
    ]
    options = VerdictOptions(confidence=0.95, resamples=resamples, seed_sd=SEED_SD, margin=0.0, seed=number)
    rule = Rule(options, np.arange(images), dict.fromkeys(METRICS, SEED_SD), assumed_degrees=4)
    once = np.ones(images)
    by_seed = np.array([[model.by_class(once) for model in arm] for arm in models])
    return metric_deltas(by_seed, paired_bootstrap(models[0], models[1], rule.draws()), rule)[0]["map50_95"]


@pytest.mark.calibration
@pytest.mark.parametrize("images", IMAGES)
def test_equal_detectors_get_an_interval_round_zero_as_often_as_it_promises_and_more_seeds_make_it_narrower(
    images: int,
) -> None:
    outcomes = [simulated(seeds, images) for seeds in SEEDS]

    assert [outcome for outcome in outcomes if not 0.93 <= outcome.coverage <= 0.99] == []
    assert [outcome for outcome in outcomes if outcome.false_verdicts > 0.03] == []
    widths = [outcome.half_width for outcome in outcomes]
    assert widths == sorted(widths, reverse=True)
