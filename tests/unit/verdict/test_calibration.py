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

SEEDS = (1, 2, 3, 5)
COMPARISONS = {5: 1000, 30: 1000, 72: 600, 200: 400}  # by images; some 20 minutes in all
SEED_SD = 0.02
SKILL = 0.8
# mAP50-95 that a detector of `make_statistics` gains for each unit of skill: .499, .561, .623, .681 and .736 at a
# skill of .7, .75, .8, .85 and .9.
MAP_A_SKILL = 1.2


class Simulated(NamedTuple):
    """What the comparisons of one setting came to."""

    seeds: int
    coverage: float  # share of the intervals that hold the true difference, which is 0
    false_verdicts: float  # share of better and worse
    half_width: float  # median


def simulated(images: int, comparisons: int) -> list[Simulated]:
    """Compare equal detectors, by number of seeds.

    How much luck varies is not known where one seed assumes it. So each comparison has another standard deviation, in
    19 of 20 cases between 0.7 and 1.9 times the assumed one.
    """
    by_seeds: dict[int, list[MetricDelta]] = {seeds: [] for seeds in SEEDS}
    for number in range(comparisons):
        luck = np.random.default_rng([number, images])
        sd = SEED_SD * np.sqrt(8 / luck.chisquare(8))
        skills = luck.normal(SKILL, sd / MAP_A_SKILL, (2, max(SEEDS)))
        for seeds, delta in zip(SEEDS, compared(number, skills, images), strict=True):
            by_seeds[seeds].append(delta)
    return [
        Simulated(
            seeds,
            coverage=float(np.mean([delta.low <= 0 <= delta.high for delta in deltas])),
            false_verdicts=float(np.mean([delta.verdict in ("better", "worse") for delta in deltas])),
            half_width=float(np.median([(delta.high - delta.low) / 2 for delta in deltas])),
        )
        for seeds, deltas in by_seeds.items()
    ]


def compared(number: int, skills: np.ndarray, images: int) -> list[MetricDelta]:
    """mAP50-95 of detectors with these skills, shape (2, seeds), on the same new images; of the first 1, 2, 3 ..."""
    options = VerdictOptions(confidence=0.95, resamples=100, seed_sd=SEED_SD, margin=0.01, seed=number)
    rule = Rule(options, np.arange(images), dict.fromkeys(METRICS, SEED_SD), assumed_degrees=4)
    baseline, candidate = (
        [
            WeightedMetrics(
                make_statistics(
                    100_000 * images + 1000 * number + 100 * arm + seed,
                    skill=skill,
                    images=images,
                    scenes=1_000_000 * images + number,
                    taste=2 * number + arm,
                    per_class=False,
                )
            )
            for seed, skill in enumerate(arm_skills)
        ]
        for arm, arm_skills in enumerate(skills)
    )
    by_seed = paired_bootstrap(baseline, candidate, [np.ones(images)])[0]
    drawn = paired_bootstrap(baseline, candidate, rule.draws())
    return [metric_deltas(by_seed[:, :seeds], drawn[:, :, :seeds], rule)[0]["map50_95"] for seeds in SEEDS]


@pytest.mark.calibration
@pytest.mark.parametrize(("images", "comparisons"), COMPARISONS.items())
def test_equal_detectors_get_an_interval_round_zero_as_often_as_it_promises_and_more_seeds_make_it_narrower(
    images: int, comparisons: int
) -> None:
    outcomes = simulated(images, comparisons)
    for outcome in outcomes:
        assert 0.93 <= outcome.coverage <= 0.99, outcome
        assert outcome.false_verdicts <= 0.03, outcome
    widths = [outcome.half_width for outcome in outcomes]
    assert widths == sorted(widths, reverse=True)


def test_two_seeds_are_never_wider_than_one_at_equal_spread() -> None:
    """The spread between the seeds of both arms is exactly the assumed one; the draws of images are the same."""
    models = [WeightedMetrics(make_statistics(seed, images=30, false_per_image=3)) for seed in range(2)]
    rule = Rule(
        VerdictOptions(confidence=0.95, resamples=100, seed_sd=SEED_SD, margin=0.01, seed=0),
        np.arange(30),
        dict.fromkeys(METRICS, SEED_SD),
        assumed_degrees=4,
    )
    drawn = paired_bootstrap(models[:1], models[1:], rule.draws())
    one_seed = np.array([[model.by_class(np.ones(30))] for model in models])
    apart = SEED_SD / 2**0.5
    two_seeds = np.concatenate((one_seed - apart, one_seed + apart), axis=1)
    one, two = (
        metric_deltas(by_seed, drawn + (by_seed - one_seed), rule)[0]["map50_95"] for by_seed in (one_seed, two_seeds)
    )
    assert two.delta == pytest.approx(one.delta, abs=1e-6)
    assert two.luck == pytest.approx(one.luck / 2**0.5, abs=1e-6)
    assert two.high - two.low < one.high - one.low
