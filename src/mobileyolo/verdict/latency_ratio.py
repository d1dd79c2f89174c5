"""Times of both arms -> the ratio of their latencies, its interval, and whether a claim may be made of it. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from mobileyolo.core.records import LatencySetting, Timing
from mobileyolo.verdict.records import CostRatio

# Middle half of an arm's times, as a share of their median.
CALM_SPREAD = 0.05


def latency_ratio(timing: Timing, confidence: float) -> CostRatio:
    """Medians of both arms' times, and the median of candidate / baseline with its interval.

    Each round gives one ratio: what slows the machine down for some rounds slows both arms, and cancels out.

    Args:
        timing: both arms' times in one setting.
        confidence: of the interval, above 0 and below 1.
    """
    baseline, candidate = (np.asarray(timing.rounds_ms[arm]) for arm in ("baseline", "candidate"))
    ratios = candidate / baseline
    low, high = median_interval(ratios, confidence)
    return CostRatio(
        baseline=round(float(np.median(baseline)), 6),
        candidate=round(float(np.median(candidate)), 6),
        ratio=round(float(np.median(ratios)), 6),
        low=None if low is None else round(low, 6),
        high=None if high is None else round(high, 6),
        busy=max(relative_spread(baseline), relative_spread(candidate)) > CALM_SPREAD,
        setting=LatencySetting(**timing.model_dump(include=set(LatencySetting.model_fields))),
    )


def median_interval(values: npt.ArrayLike, confidence: float) -> tuple[float | None, float | None]:
    """The interval of a median: two of the sorted values, or no ends where these are too few for the confidence.

    It needs no assumption about how values spread: each is below the true median with probability 1/2, so ranks of a
    binomial distribution bound it.

    Args:
        values: of independent rounds.
        confidence: of the interval, above 0 and below 1.
    """
    ordered = np.sort(values)
    # The largest rank with P(fewer than rank of the values are below the median) <= (1 - confidence) / 2.
    chances = special.bdtr(np.arange(len(ordered) + 1), len(ordered), 0.5)
    rank = int(np.searchsorted(chances, (1 - confidence) / 2))
    return (float(ordered[rank - 1]), float(ordered[-rank])) if rank else (None, None)


def relative_spread(values: npt.ArrayLike) -> float:
    """Distance of the quartiles as a share of the median: rare slow rounds don't change it."""
    low, middle, high = np.quantile(np.asarray(values, dtype=np.float64), [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def is_faster(cost: CostRatio) -> bool:
    """May it be said that the candidate has `ratio` times the latency, as an advantage?

    Only if the machine was not busy, and the whole interval is below 1.
    """
    return not cost.busy and cost.high is not None and cost.high < 1
