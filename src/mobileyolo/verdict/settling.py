"""What would settle a verdict: how many seeds, how many images, or which margin. Computed, if all else stayed equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil

import numpy as np

from mobileyolo.verdict.interval import Luck
from mobileyolo.verdict.records import Interval, Settling

MOST_SEEDS = 50
MOST_IMAGES = 1_000_000


def settling(
    interval: Interval, image_half_width: float, luck: Luck, images: int, confidence: float, margin: float
) -> Settling:
    """What would make the verdict better, worse or equivalent, if the difference and its spread stayed as they are.

    Args:
        interval: of the deciding metric.
        image_half_width: its part that the choice of images gives.
        luck: of the deciding metric only, shape (1,).
        images: held-out images.
        confidence: of the interval.
        margin: smaller differences do not matter.
    """
    # Half-width from which on the interval lies wholly beyond the margin, or wholly inside it.
    enough = abs(abs(interval.delta) - margin)

    def settles(seeds: int, image_factor: float) -> bool:
        part = image_half_width / np.sqrt(image_factor)
        return bool(np.hypot(part, luck.half_width(confidence, seeds)[0]) < enough)

    settled = interval.low > margin or interval.high < -margin or (-margin <= interval.low and interval.high <= margin)
    luck_half_width = float(luck.half_width(confidence)[0])
    seeds = luck.seeds
    more = range(seeds + 1, MOST_SEEDS + 1)
    together = None if settled else _first(more, lambda each: settles(each, each / seeds))
    return Settling(
        settled=settled,
        larger="images" if image_half_width >= luck_half_width else "luck",
        seeds=None if settled else _first(more, lambda each: settles(each, 1)),
        images=None if settled else _first(_image_counts(images), lambda each: settles(seeds, each / images)),
        seeds_with_images=together,
        images_with_seeds=None if together is None else round(images * together / seeds),
        equivalent_margin=_rounded_up(max(abs(interval.low), abs(interval.high))),
        no_worse_margin=_rounded_up(max(0.0, -interval.low)),
    )


def _rounded_up(margin: float) -> float:
    """Three digits, as it is told: rounded down, the margin would not be enough."""
    return ceil(round(margin * 1000, 3)) / 1000  # 0.07 * 1000 is a little more than 70


def _image_counts(images: int) -> Iterator[int]:
    """Numbers above the present one in steps of a tenth, rounded to two digits as nobody labels 1,234 of them."""
    count = float(images)
    while (count := count * 1.1) <= MOST_IMAGES:
        yield max(int(float(f"{count:.2g}")), images + 1)


def _first(counts: Iterator[int] | range, settles: Callable[[int], bool]) -> int | None:
    return next((count for count in counts if settles(count)), None)
