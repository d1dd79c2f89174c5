from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from mobileyolo.verdict.interval import (
    curve_sd,
    few_scenes_factor,
    image_half_widths,
    luck,
    rescaled,
    twice_counted,
    verdict_of,
)
from mobileyolo.verdict.records import VERDICTS, Verdict


def column(*values: float) -> np.ndarray:
    """One metric by seed, shape (seeds, 1)."""
    return np.array(values)[:, None]


def test_three_seeds_pool_what_both_arms_show_and_assume_nothing() -> None:
    # Standard deviations by hand: .02 and .04; pooled sqrt((.0004 + .0016) / 2) = .031623 with 4 degrees.
    baseline, candidate = column(0.48, 0.5, 0.52), column(0.36, 0.4, 0.44)
    for assumed in (0.001, 0.5):
        spread = luck(baseline, candidate, assumed, 4)
        assert spread.sd == pytest.approx([0.001**0.5])
        assert spread.measured == pytest.approx([0.001**0.5])
        assert spread.degrees == 4
        # t(4) has its 97.5 % quantile at 2.776445: 2.776445 * .031623 * sqrt(2 / 3)
        assert spread.half_width(0.95) == pytest.approx([0.0716875], abs=1e-6)


def test_two_seeds_count_the_assumption_for_the_two_degrees_that_are_missing() -> None:
    # Variances by hand: .0002 and .0018, so .001 with 2 degrees; (2 * .001 + 2 * .0004) / 4 = .0007.
    spread = luck(column(0.5, 0.52), column(0.4, 0.46), 0.02, 4)
    assert spread.measured == pytest.approx([0.001**0.5])
    assert spread.sd == pytest.approx([0.0007**0.5])
    assert spread.degrees == 4
    assert spread.half_width(0.95) == pytest.approx([2.776445 * 0.0007**0.5], abs=1e-6)


def test_one_seed_has_the_assumption_with_four_degrees() -> None:
    spread = luck(column(0.5), column(0.4), 0.02, 4)
    assert spread.measured is None
    assert spread.half_width(0.95) == pytest.approx([2.776445 * 0.02 * 2**0.5], abs=1e-6)


def test_each_metric_has_an_assumption_of_its_own() -> None:
    spread = luck(np.zeros((1, 2)), np.zeros((1, 2)), [0.01, 0.03], 4)
    assert spread.sd == pytest.approx([0.01, 0.03])


def test_an_assumption_from_few_earlier_runs_widens_the_interval() -> None:
    few, enough, many = (luck(column(0.5), column(0.4), 0.02, degrees) for degrees in (1, 4, 40))
    assert few.half_width(0.95) == pytest.approx([12.7062 * 0.02 * 2**0.5], abs=1e-4)
    assert few.half_width(0.95) > enough.half_width(0.95)
    assert many.degrees == 4
    # With two seeds only the degrees that the assumption has can be filled.
    assert luck(column(0.5, 0.52), column(0.4, 0.46), 0.02, 1).degrees == 3


def test_more_seeds_of_equal_spread_are_never_wider() -> None:
    """Each arm's seeds lie so that their standard deviation is the assumed one."""
    widths = []
    for seeds in (1, 2, 3, 5, 8):
        place = np.arange(seeds) - (seeds - 1) / 2
        values = place / max(place.std(ddof=1), 1e-12) * 0.02 if seeds > 1 else place
        widths.append(luck(column(*values), column(*values), 0.02, 4).half_width(0.95)[0])
    assert widths == sorted(widths, reverse=True)
    assert widths[1] == pytest.approx(widths[0] / 2**0.5)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_the_interval_over_seeds_holds_the_true_difference_as_often_as_promised(seeds: int) -> None:
    """Two equal models: in 95 % of the cases the interval holds 0, or somewhat more.

    The true spread lies round the assumed one as an assumption with four degrees of freedom means it.
    """
    generator = np.random.default_rng(0)
    sd = 0.02 * np.sqrt(4 / generator.chisquare(4, 4000))
    baseline, candidate = generator.normal(0, sd, (2, seeds, 4000))
    covered = np.abs(candidate.mean(0) - baseline.mean(0)) <= luck(baseline, candidate, 0.02, 4).half_width(0.95)
    assert 0.94 <= covered.mean() <= 0.97


@pytest.mark.parametrize(
    ("scenes", "factor"),
    [
        (2, 2**0.5 * 12.7062 / 1.959964),
        (5, 1.25**0.5 * 2.776445 / 1.959964),  # 1.584
        (30, (30 / 29) ** 0.5 * 2.045230 / 1.959964),  # 1.061
        (72, (72 / 71) ** 0.5 * 1.993943 / 1.959964),  # 1.024
    ],
)
def test_few_scenes_widen_the_part_of_the_images_as_students_t_says(scenes: int, factor: float) -> None:
    assert few_scenes_factor(scenes, 0.95) == pytest.approx(factor, rel=1e-5)


def test_one_scene_says_nothing_of_others() -> None:
    assert few_scenes_factor(1, 0.95) == float("inf")
    below, above = image_half_widths(np.zeros((2, 1, 2)), np.zeros((100, 2, 1, 2)), 1, 0.95)
    assert (below.tolist(), above.tolist()) == ([1, 1], [1, 1])


def test_the_part_of_the_images_is_the_quantiles_of_the_draws_times_the_factor() -> None:
    drawn = np.stack((np.zeros(1001), np.linspace(-0.04, 0.08, 1001)), axis=1)[..., None, None]
    below, above = image_half_widths(np.array([[[0.5]], [[0.51]]]), drawn, 30, 0.95)
    factor = few_scenes_factor(30, 0.95)
    # 2.5 % and 97.5 % of the way: -.037 and .077
    assert (below[0], above[0]) == pytest.approx((0.047 * factor, 0.067 * factor))


def changes(generator: np.random.Generator, common: float, own: float) -> np.ndarray:
    """Of two arms with three seeds on 4,000 draws, by what all seeds of an arm share and by what each has alone."""
    together = generator.normal(0, common, (4000, 2, 1))
    return (together + generator.normal(0, own, (4000, 2, 3)))[..., None]


def test_half_of_what_each_seed_finds_by_chance_on_these_images_is_taken_off_the_part_of_the_images() -> None:
    """It is in the spread over seeds too. Variances by hand: of the difference 2 * .03^2 + 2 * .02^2 / 3."""
    by_seed = np.array([[[0.5], [0.52], [0.54]], [[0.4], [0.42], [0.44]]])
    drawn = by_seed + changes(np.random.default_rng(0), common=0.03, own=0.02)
    variance, own = 2 * 0.03**2 + 2 * 0.02**2 / 3, 2 * 0.02**2 / 3
    assert twice_counted(by_seed, drawn) == pytest.approx([own / variance], rel=0.05)
    expected = 1.959964 * (variance - own / 2) ** 0.5 * few_scenes_factor(1000, 0.95)
    for half_width in image_half_widths(by_seed, drawn, 1000, 0.95):
        assert half_width == pytest.approx([expected], rel=0.05)


def test_one_seed_shows_nothing_that_counts_twice() -> None:
    by_seed = np.array([[[0.5]], [[0.4]]])
    drawn = by_seed + np.random.default_rng(0).normal(0, 0.02, (100, 2, 1, 1))
    assert twice_counted(by_seed, drawn).tolist() == [0]


def test_seeds_that_find_the_same_on_each_draw_count_nothing_twice() -> None:
    by_seed = np.array([[[0.5], [0.52]], [[0.4], [0.42]]])
    drawn = by_seed + np.random.default_rng(0).normal(0, 0.02, (100, 2, 1, 1))
    assert twice_counted(by_seed, drawn) == pytest.approx([0])


def test_another_confidence_changes_the_part_of_the_images_as_students_t_does() -> None:
    # t(29): 2.045230 at 97.5 %, 2.756386 at 99.5 %
    assert rescaled(np.array([0.1]), 30, 0.95, 0.99) == pytest.approx([0.1 * 2.756386 / 2.045230], rel=1e-5)
    assert rescaled(np.array([1.0]), 1, 0.95, 0.99) == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("images", "sd"),
    [
        (300, 0.03),
        (2400, 0.015),  # eight times the images
        (118_000, 0.0041),  # COCO
        (400_000, 0.003),  # 0.0027 is clipped
        (64, 0.05),
        (66, 0.0497),
        (1, 0.05),
    ],
)
def test_the_assumed_spread_falls_with_the_cube_root_of_the_training_images(images: int, sd: float) -> None:
    assert curve_sd(images) == pytest.approx(sd, abs=5e-5)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.011, 0.05, "better"),
        (0.01, 0.05, "no worse"),  # touches the margin
        (-0.05, -0.011, "worse"),
        (-0.05, -0.01, "no better"),
        (-0.01, 0.01, "equivalent"),  # touches both
        (0.01, 0.01, "equivalent"),
        (-0.01, 0.011, "no worse"),
        (-0.011, 0.01, "no better"),
        (-0.011, 0.011, "inconclusive"),
    ],
)
def test_one_interval_and_the_margin_give_one_of_six_states(low: float, high: float, verdict: Verdict) -> None:
    assert verdict_of(low, high, 0.01) == verdict


def test_the_states_have_an_order() -> None:
    """With an end on the margin several states hold; the first in VERDICTS is said."""
    assert verdict_of(0.0, 0.05, 0.0) == "no worse"
    assert verdict_of(0.0, 0.0, 0.0) == "equivalent"
    assert get_args(Verdict) == VERDICTS
