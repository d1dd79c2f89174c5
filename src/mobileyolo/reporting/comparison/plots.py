"""The curves and counts behind the figures, and their tables for `dvc plots`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import write_table
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison.inputs import Histories, Results
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.precision_recall import RECALLS
from mobileyolo.verdict.sorted_predictions import FloatArray

Counts = npt.NDArray[np.int64]

LOSS_PARTS = ("box", "cls", "dfl")
# Columns of a history whose sum is the curve.
TRAINING_CURVES = {
    "map50_95": ["map50_95"],
    "map50": ["map50"],
    "train_loss": [f"train_{part}_loss" for part in LOSS_PARTS],
    "val_loss": [f"val_{part}_loss" for part in LOSS_PARTS],
}
BACKGROUND = "background"


def training_curve(history: pd.DataFrame, name: str) -> pd.Series[float]:
    """One of TRAINING_CURVES, by epoch."""
    return history.set_index("epoch")[TRAINING_CURVES[name]].sum(axis=1)


def mean_training_curve(histories: Sequence[pd.DataFrame], name: str) -> pd.Series[float]:
    """The mean over the seeds of one of TRAINING_CURVES, by epoch."""
    return pd.concat([training_curve(history, name) for history in histories], axis=1).mean(axis=1)


def precision_recall_curves(results: Sequence[ArmResult]) -> FloatArray:
    """Precision at each of RECALLS and IoU threshold 0.5, mean over the classes; shape (seeds, 101)."""
    return np.array([WeightedMetrics(result.statistics).precision_recall_curve() for result in results])


def confusion_counts(results: Sequence[ArmResult]) -> Counts:
    """Boxes by actual (row) and predicted (column) class, summed over the seeds; the last is background."""
    counts: Counts = np.sum([result.statistics.confusion for result in results], axis=0).T
    return counts


def write_plots(folder: Path, results: Results, histories: Histories) -> None:
    """Write the tables that dvc.yaml's plots read.

    map50_95.csv, map50.csv, train_loss.csv, val_loss.csv: epoch, baseline, candidate.
    precision_recall.csv: recall, baseline, candidate.
    confusion_baseline.csv, confusion_candidate.csv: actual, predicted; one row for each box, as DVC wants it.
    """
    for name in TRAINING_CURVES:
        curves = {arm: mean_training_curve(histories[arm], name) for arm in ARMS}
        write_table(folder / f"{name}.csv", pd.DataFrame(curves).round(6).rename_axis("epoch").reset_index())
    precision: dict[str, FloatArray] = {arm: precision_recall_curves(results[arm]).mean(0) for arm in ARMS}
    write_table(folder / "precision_recall.csv", pd.DataFrame({"recall": RECALLS, **precision}).round(6))
    for arm in ARMS:
        write_table(folder / f"confusion_{arm}.csv", _one_row_a_box(results[arm]))


def _one_row_a_box(results: Sequence[ArmResult]) -> pd.DataFrame:
    labels = np.array([*results[0].statistics.names, BACKGROUND])
    counts = confusion_counts(results)
    actual, predicted = np.nonzero(counts)
    boxes = np.repeat(np.arange(actual.size), counts[actual, predicted])
    return pd.DataFrame({"actual": labels[actual[boxes]], "predicted": labels[predicted[boxes]]})
