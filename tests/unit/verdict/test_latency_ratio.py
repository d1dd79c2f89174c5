from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mobileyolo.core.records import LatencySetting, Timing
from mobileyolo.verdict.latency_ratio import is_faster, latency_ratio
from mobileyolo.verdict.records import CostRatio


def make_timing(baseline: object, candidate: object, batch: int = 1, suppression: bool = False) -> Timing:
    times = {"baseline": tuple(np.asarray(baseline)), "candidate": tuple(np.asarray(candidate))}
    return Timing(
        engine="PyTorch 2.14.1 (CPU, fused)",
        batch=batch,
        height=256,
        width=320,
        suppression=suppression,
        rounds_ms=times,
    )


def simulated(
    noise: np.random.Generator, rounds: int, ratio: float = 0.7, sd: float = 0.01, slow: float = 0.0
) -> Timing:
    """Times of a machine that becomes slower; in a share of the rounds, one arm at random is held up.

    Args:
        noise: where chance comes from.
        rounds: how many.
        ratio: the true one of the medians.
        sd: of an arm's times, as a share.
        slow: share of the rounds in which an arm takes half as long again.
    """
    drift = np.linspace(1, 1.03, rounds)
    held = 1 + 0.5 * (noise.random((2, rounds)) < slow / 2)
    baseline, candidate = 20 * drift * noise.lognormal(0, sd, (2, rounds)) * held
    return make_timing(baseline, ratio * candidate)


def test_the_ratio_is_taken_within_a_round() -> None:
    cost = latency_ratio(make_timing([10, 20, 40], [5, 14, 32]), 0.5)
    assert (cost.baseline, cost.candidate, cost.ratio) == (20, 14, 0.7)


@pytest.mark.parametrize(
    ("rounds", "confidence", "rank"),
    [(6, 0.95, 1), (8, 0.99, 1), (15, 0.95, 4), (25, 0.95, 8), (50, 0.95, 18)],
)
def test_the_interval_lies_between_the_ranks_of_the_published_tables(rounds: int, confidence: float, rank: int) -> None:
    """Conover, Practical Nonparametric Statistics: ranks for the median; the next rank would hold too little."""
    ratios = np.linspace(0.6, 0.8, rounds)
    cost = latency_ratio(make_timing(np.full(rounds, 10.0), 10 * ratios), confidence)
    assert (cost.low, cost.high) == (round(float(ratios[rank - 1]), 6), round(float(ratios[-rank]), 6))
    held = [1 - 2 * stats.binom.cdf(each - 1, rounds, 0.5) for each in (rank, rank + 1)]
    assert held[0] >= confidence > held[1]


@pytest.mark.parametrize(("rounds", "confidence"), [(5, 0.95), (7, 0.99)])
def test_too_few_rounds_give_no_interval_and_no_claim(rounds: int, confidence: float) -> None:
    cost = latency_ratio(make_timing([10.0] * rounds, [5.0] * rounds), confidence)
    assert (cost.low, cost.high) == (None, None)
    assert not cost.busy
    assert not is_faster(cost)


@pytest.mark.parametrize("rounds", [6, 15, 50])
@pytest.mark.parametrize("slow", [0.0, 0.3], ids=["calm", "some rounds held up"])
def test_the_interval_holds_the_true_ratio_as_often_as_it_promises(rounds: int, slow: float) -> None:
    noise = np.random.default_rng(rounds)
    costs = [latency_ratio(simulated(noise, rounds, slow=slow), 0.95) for _ in range(600)]
    held = np.mean([cost.low <= 0.7 <= cost.high for cost in costs if cost.low and cost.high])
    assert 0.93 <= held <= 0.99  # ranks are whole, so it is promised 0.956 to 0.969; the band is three standard errors


def test_a_calm_machine_is_not_called_busy_and_a_busy_one_is() -> None:
    noise = np.random.default_rng(0)
    calm = [latency_ratio(simulated(noise, 15, sd=0.015), 0.95).busy for _ in range(300)]
    busy = [latency_ratio(simulated(noise, 15, sd=0.1), 0.95).busy for _ in range(300)]
    assert np.mean(calm) < 0.02
    assert np.mean(busy) > 0.98


def test_a_rare_slow_round_does_not_make_a_machine_busy() -> None:
    times = np.full(15, 10.0)
    times[3] = 40
    assert not latency_ratio(make_timing(times, np.full(15, 7.0)), 0.95).busy


def test_either_arm_can_show_that_the_machine_was_busy() -> None:
    steady, unsteady = np.full(15, 10.0), np.linspace(10, 13, 15)
    assert latency_ratio(make_timing(steady, unsteady), 0.95).busy
    assert latency_ratio(make_timing(unsteady, steady), 0.95).busy


@pytest.mark.parametrize(
    ("high", "busy", "expected"), [(0.8, False, True), (0.8, True, False), (1.0, False, False), (1.1, False, False)]
)
def test_a_claim_needs_a_calm_machine_and_an_interval_below_1(high: float, busy: bool, expected: bool) -> None:
    cost = CostRatio(baseline=10, candidate=7, ratio=0.7, low=0.6, high=high, busy=busy)
    assert is_faster(cost) == expected


def test_a_cost_without_an_interval_is_no_claim() -> None:
    assert not is_faster(CostRatio(baseline=10, candidate=7, ratio=0.7))


def test_the_setting_goes_with_the_ratio() -> None:
    timing = make_timing([1.0], [1.0], batch=8, suppression=True)
    assert latency_ratio(timing, 0.95).setting == LatencySetting(**timing.model_dump(exclude={"rounds_ms"}))
