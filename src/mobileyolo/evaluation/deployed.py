"""Precision, recall and F1 over all boxes at a confidence, and the confidence to deploy a model with (pure)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

CONFIDENCES = np.arange(101) / 100  # a few hundred boxes can't tell confidences apart that are nearer to each other


def deployed_metrics(
    thresholds: npt.ArrayLike, confidences: npt.ArrayLike, found: npt.ArrayLike, labelled: int
) -> pd.DataFrame:
    """The metrics of a model that keeps only what it is confident of.

    Args:
        thresholds: lowest confidences that are kept, shape (t,).
        confidences: of all predictions, shape (n,).
        found: is a prediction a true positive? shape (n,).
        labelled: number of labelled boxes; without any, recall and F1 are 0.

    Returns:
        confidence, precision, recall and f1 with six decimals, one row a threshold; precision is NaN where nothing is
        predicted.
    """
    thresholds, confidences = np.asarray(thresholds, dtype=np.float64), np.asarray(confidences, dtype=np.float64)
    order = np.argsort(confidences)
    below = np.searchsorted(confidences[order], thresholds)
    predicted = confidences.size - below
    of_least = np.asarray(found, dtype=np.int64)[order]
    correct = of_least.sum() - np.append(0, np.cumsum(of_least))[below]
    with np.errstate(invalid="ignore"):
        precision = correct / predicted
    return pd.DataFrame(
        {
            "confidence": thresholds,
            "precision": precision,
            "recall": correct / max(labelled, 1),
            "f1": 2 * correct / np.maximum(predicted + labelled, 1),
        }
    ).round(6)


def confidence_to_deploy(metrics: pd.DataFrame) -> float:
    """The confidence with the highest F1, of several the lowest.

    Args:
        metrics: a `deployed_metrics`, by rising confidence.
    """
    return float(metrics["confidence"].iloc[metrics["f1"].argmax()])
