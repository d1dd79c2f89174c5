from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mobileyolo.verdict.maturity import maturity
from mobileyolo.verdict.records import Maturity

FLAT = np.minimum(np.arange(1, 41) / 20, 1) * 0.6  # 40 epochs; no more is learnt after the 20th


def history(curve: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"epoch": np.arange(1, curve.size + 1), "map50_95": curve})


@pytest.mark.parametrize(
    ("curve", "best_epoch", "map50", "expected"),
    [
        (FLAT, 25, 0.8, "learnt"),
        (FLAT, 38, 0.8, "learnt"),  # 5 % of 40 epochs are the last two
        (FLAT, 39, 0.8, "rising"),
        (FLAT, 25, 0.05, "learnt"),
        (FLAT, 25, 0.049, "untrained"),
        (FLAT, 40, 0.049, "untrained"),  # says more than rising
        (np.linspace(0, 0.6, 40), 30, 0.8, "rising"),  # .015 an epoch
        (FLAT + 0.0011 * np.arange(40), 30, 0.8, "learnt"),  # .0088 over the last eight epochs
        (FLAT + 0.0014 * np.arange(40), 30, 0.8, "rising"),  # .0112
        (FLAT[::-1], 1, 0.8, "learnt"),  # falling
        (np.array([0.3]), 1, 0.8, "rising"),  # a single epoch
        (np.array([0.4, 0.4]), 1, 0.8, "learnt"),
    ],
)
def test_a_model_had_learnt_if_neither_its_best_epoch_nor_its_slope_promises_more(
    curve: np.ndarray, best_epoch: int, map50: float, expected: Maturity
) -> None:
    assert maturity([history(curve)], [best_epoch], map50, margin=0.01) == expected


def test_several_seeds_are_judged_by_their_mean_curve_and_the_median_of_their_best_epochs() -> None:
    rising, falling = history(FLAT + 0.01 * np.arange(40)), history(FLAT - 0.01 * np.arange(40))
    assert maturity([rising, falling], [30, 20], 0.8, 0.01) == "learnt"
    assert maturity([rising, rising], [30, 20], 0.8, 0.01) == "rising"
    flat = [history(FLAT)] * 3
    assert maturity(flat, [40, 20, 20], 0.8, 0.01) == "learnt"
    assert maturity(flat, [40, 40, 20], 0.8, 0.01) == "rising"
