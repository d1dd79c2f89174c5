"""Times of both arms -> the ratio of their latencies, its interval, and whether a claim may be made of it. Pure."""

from __future__ import annotations

import numpy as np
from scipy import special

from mobileyolo.core.records import LatencySetting, Timing
from mobileyolo.verdict.records import CostRatio

# Middle half of an arm's times, as a share of their median.
CALM_SPREAD = 0.05


def latency_ratio(timing: Timing, confidence: float) -> CostRatio:
    """Medians of both arms' times, and the median of candidate / baseline with its interval.

    Each round gives one ratio: what slows the machine down for some rounds slows both arms, and cancels out. The
    interval is from two of the sorted ratios. It needs no assumption about how times spread: each ratio is below the
    true median with probability 1/2, so ranks of a binomial distribution bound it. It has no ends where there are too
    few rounds for the confidence.

    Args:
        timing: both arms' times in one setting.
        confidence: of the interval, above 0 and below 1.
    """
    baseline, candidate = (np.asarray(timing.rounds_ms[arm]) for arm in ("baseline", "candidate"))
    ratios = np.sort(candidate / baseline)
    # The largest rank with P(fewer than rank of the ratios are below the median) <= (1 - confidence) / 2.
    chances = special.bdtr(np.arange(len(ratios) + 1), len(ratios), 0.5)
    rank = int(np.searchsorted(chances, (1 - confidence) / 2))
    low, high = (float(ratios[rank - 1]), float(ratios[-rank])) if rank else (None, None)
    return CostRatio(
        baseline=round(float(np.median(baseline)), 6),
        candidate=round(float(np.median(candidate)), 6),
        ratio=round(float(np.median(ratios)), 6),
        low=None if low is None else round(low, 6),
        high=None if high is None else round(high, 6),
        busy=max(_spread(baseline), _spread(candidate)) > CALM_SPREAD,
        setting=LatencySetting(**timing.model_dump(include=set(LatencySetting.model_fields))),
    )


def is_faster(cost: CostRatio) -> bool:
    """May it be said that the candidate has `ratio` times the latency, as an advantage?

    Only if the machine was not busy, and the whole interval is below 1.
    """
    return not cost.busy and cost.high is not None and cost.high < 1


def _spread(times: np.ndarray) -> float:
    """Distance of the quartiles as a share of the median: rare slow rounds don't change it."""
    low, middle, high = np.quantile(times, [0.25, 0.5, 0.75])
    return float((high - low) / middle)
