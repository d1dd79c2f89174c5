from __future__ import annotations

import numpy as np
import pytest

from mobileyolo.verdict.bootstrap import paired_bootstrap, seed_half_width
from mobileyolo.verdict.metrics import WeightedMetrics
from tests.synthetic_results import make_statistics


def test_a_model_never_differs_from_itself() -> None:
    metrics = [WeightedMetrics(make_statistics(seed)) for seed in range(2)]
    assert not paired_bootstrap(metrics, metrics, resamples=10, seed=0).any()


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
def test_the_seed_half_width_is_covered_as_often_as_promised(seeds: int) -> None:
    """Leads that differ by luck alone, round a true lead of 0: Student's t covers it in 95 % of the cases."""
    generator = np.random.default_rng(0)
    differences_by_seed = generator.normal(0, 0.03, (4000, seeds, 1))
    covered = [abs(each.mean()) <= seed_half_width(each, 0.95, seed_sd=0)[0] for each in differences_by_seed]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_with_one_seed_the_seed_half_width_is_that_of_two_models() -> None:
    # 1.96 standard deviations of a difference: sqrt(2) times that of one model
    assert seed_half_width(np.zeros((1, 4)), 0.95, seed_sd=0.02) == pytest.approx([1.96 * 0.02 * 2**0.5] * 4, rel=1e-3)


def test_one_seed_of_the_generator_gives_one_result() -> None:
    arms = [WeightedMetrics(make_statistics(1))], [WeightedMetrics(make_statistics(2))]
    first, again, other = (paired_bootstrap(*arms, resamples=5, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
