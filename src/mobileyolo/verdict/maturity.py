"""Had a model stopped learning when its training ended?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mobileyolo.verdict.records import Maturity

NOT_LEARNT = 0.05  # mAP50; a model below it has learnt hardly anything
LAST_EPOCHS = 0.05  # share of the epochs; a best epoch among them says that more might be better
LAST_FIFTH = 0.2  # share of the epochs over which the slope is taken


def maturity(histories: Sequence[pd.DataFrame], best_epochs: Sequence[int], map50: float, margin: float) -> Maturity:
    """Untrained, still rising, or learnt.

    Args:
        histories: of each seed, with the columns epoch and map50_95 (on val).
        best_epochs: of each seed, counted from 1.
        map50: held out, mean over the seeds.
        margin: smaller differences in mAP50-95 do not matter.
    """
    if map50 < NOT_LEARNT:
        return "untrained"
    curve = np.mean([history["map50_95"].to_numpy(np.float64) for history in histories], axis=0)
    epochs = len(curve)
    if np.median(best_epochs) > epochs * (1 - LAST_EPOCHS):
        return "rising"
    last = max(2, round(epochs * LAST_FIFTH))
    # What as many more epochs would add at the same slope.
    promised = np.polyfit(np.arange(last), curve[-last:], 1)[0] * last if epochs > 1 else 0.0
    return "rising" if promised > margin else "learnt"
