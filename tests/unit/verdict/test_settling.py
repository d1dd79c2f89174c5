from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest

from mobileyolo.verdict.interval import Luck, verdict_of
from mobileyolo.verdict.records import Interval, Settling
from mobileyolo.verdict.settling import MOST_IMAGES, MOST_SEEDS, settling

CONFIDENCE = 0.95
ONE_SEED = Luck(np.array([0.02]), degrees=4, measured=None, seeds=1)
DECIDED = ("better", "worse", "equivalent")


def half_width(images_part: float, luck: Luck, factor: float = 1) -> float:
    """Of a symmetric interval, with `factor` times the images."""
    return float(np.hypot(images_part / factor**0.5, luck.half_width(CONFIDENCE)[0]))


def settled(delta: float, images_part: float, luck: Luck = ONE_SEED, margin: float = 0.01) -> Settling:
    width = half_width(images_part, luck)
    interval = Interval(delta=delta, low=delta - width, high=delta + width)
    return settling(interval, images_part, luck, images=72, confidence=CONFIDENCE, margin=margin)


def verdict(delta: float, images_part: float, luck: Luck, factor: float, margin: float = 0.01) -> str:
    width = half_width(images_part, luck, factor)
    return verdict_of(delta - width, delta + width, margin)


@pytest.mark.parametrize(("delta", "images_part"), list(product((0.06, -0.045, 0.0), (0.004, 0.03))))
def test_the_seeds_and_images_that_are_told_settle_it_and_one_fewer_does_not(delta: float, images_part: float) -> None:
    needed = settled(delta, images_part)
    assert not needed.settled
    found = 0
    if needed.seeds is not None:
        found += 1
        with_seeds = dataclasses.replace(ONE_SEED, seeds=needed.seeds, degrees=max(4, 2 * needed.seeds - 2))
        assert verdict(delta, images_part, with_seeds, 1) in DECIDED
        fewer = dataclasses.replace(ONE_SEED, seeds=needed.seeds - 1, degrees=max(4, 2 * needed.seeds - 4))
        assert verdict(delta, images_part, fewer, 1) not in DECIDED
    if needed.images is not None:
        found += 1
        assert verdict(delta, images_part, ONE_SEED, needed.images / 72) in DECIDED
        assert verdict(delta, images_part, ONE_SEED, needed.images / 1.2 / 72) not in DECIDED
    if needed.seeds_with_images is not None:
        found += 1
        seeds = needed.seeds_with_images
        both = dataclasses.replace(ONE_SEED, seeds=seeds, degrees=max(4, 2 * seeds - 2))
        assert needed.images_with_seeds == 72 * seeds
        assert verdict(delta, images_part, both, seeds) in DECIDED
    assert found


def test_more_images_do_not_help_where_luck_alone_is_too_large() -> None:
    needed = settled(0.06, 0.03)
    assert half_width(0, ONE_SEED) > 0.05  # even without the images' part
    assert needed.images is None
    assert needed.seeds is not None
    assert needed.larger == "luck"


def test_nothing_is_told_beyond_the_limits() -> None:
    needed = settled(0.0101, 0.03)  # a ten-thousandth beyond the margin
    assert (needed.seeds, needed.images, needed.seeds_with_images, needed.images_with_seeds) == (None,) * 4
    assert (MOST_SEEDS, MOST_IMAGES) == (50, 1_000_000)


def test_the_larger_part_is_named() -> None:
    assert settled(0.06, 0.2).larger == "images"


@pytest.mark.parametrize("delta", [0.3, -0.3])
def test_a_settled_verdict_needs_nothing(delta: float) -> None:
    needed = settled(delta, 0.02)
    assert needed.settled
    assert (needed.seeds, needed.images, needed.seeds_with_images) == (None,) * 3


@pytest.mark.parametrize("delta", [0.06, -0.045, 0.0, 0.3])
def test_the_smallest_margins_are_enough_and_a_thousandth_less_is_not(delta: float) -> None:
    needed, width = settled(delta, 0.03), half_width(0.03, ONE_SEED)
    low, high = delta - width, delta + width
    assert verdict_of(low, high, needed.equivalent_margin) == "equivalent"
    assert verdict_of(low, high, needed.equivalent_margin - 0.001) != "equivalent"
    if delta < 0.3:
        assert verdict_of(low, high, needed.no_worse_margin) in ("no worse", "equivalent")
        assert verdict_of(low, high, needed.no_worse_margin - 0.001) not in ("no worse", "equivalent")
    else:
        assert needed.no_worse_margin == 0


def test_a_margin_of_three_digits_is_told_as_it_is() -> None:
    interval = Interval(delta=0.0, low=-0.07, high=0.07)
    assert settling(interval, 0.05, ONE_SEED, 72, CONFIDENCE, 0.01).equivalent_margin == 0.07
