"""Curves: over the epochs, over recall, and over confidence. Seeds are thin lines, their mean is a thick one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mobileyolo.core.backbones import ARMS
from mobileyolo.reporting.comparison.inputs import Histories, Results
from mobileyolo.reporting.comparison.plots import (
    mean_training_curve,
    precision_recall_curves,
    training_curve,
)
from mobileyolo.reporting.comparison.words import deployed_names
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.reporting.shared.panels import COLOURS, Panel
from mobileyolo.verdict.precision_recall import RECALLS
from mobileyolo.verdict.records import Comparison
from mobileyolo.verdict.sorted_predictions import FloatArray

CONFIDENCES = np.linspace(0, 1, 201)  # at which the curves over confidence are drawn


def training(histories: Histories, name: str, _: Translate) -> Panel:
    """One of TRAINING_CURVES over the epochs."""
    title = {
        "map50_95": _("mAP50-95 on val"),
        "map50": _("mAP50 on val"),
        "train_loss": _("loss on train"),
        "val_loss": _("loss on val"),
    }[name]

    def draw(axes: Axes) -> None:
        for arm in ARMS:
            seeds = [training_curve(history, name) for history in histories[arm]]
            for seed in seeds if len(seeds) > 1 else []:
                axes.plot(seed.index, seed, color=COLOURS[arm], lw=1, alpha=0.35)
            mean = mean_training_curve(histories[arm], name)
            axes.plot(mean.index, mean, color=COLOURS[arm], marker="o" if len(mean) == 1 else "")
        axes.set(title=title, xlabel=_("epoch"))
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        axes.grid(axis="y")

    ends = {arm: f"{mean_training_curve(histories[arm], name).iloc[-1]:.3f}" for arm in ARMS}
    described = _("{curve} over the epochs: baseline ends at {baseline}, candidate at {candidate}")
    return Panel(f"training-{name}", described.format(curve=title, **ends), draw)


def precision_recall(results: Results, _: Translate) -> Panel:
    """Precision over recall at IoU threshold 0.5, mean over the classes."""
    curves = {arm: precision_recall_curves(results[arm]) for arm in ARMS}

    def draw(axes: Axes) -> None:
        for arm, seeds in curves.items():
            for seed in seeds if len(seeds) > 1 else []:
                axes.plot(RECALLS, seed, color=COLOURS[arm], lw=1, alpha=0.35)
            axes.plot(RECALLS, seeds.mean(0), color=COLOURS[arm])
        axes.set(title=_("precision over recall, IoU 0.5"), xlabel=_("recall"), xlim=(0, 1), ylim=(0, 1.02))
        axes.grid()

    return Panel("precision-recall", _("Precision over recall at IoU 0.5, mean over the classes"), draw)


def over_confidence(comparison: Comparison, results: Results, metric: str, _: Translate) -> Panel:
    """One of DEPLOYED_METRICS over the confidence on val; a dot at the confidence to deploy each model with."""
    curves = {arm: [_sampled(each.statistics.thresholds, metric) for each in results[arm]] for arm in ARMS}
    chosen = {"baseline": comparison.baseline.confidences, "candidate": comparison.candidate.confidences}
    name = deployed_names(_)[metric]

    def draw(axes: Axes) -> None:
        for arm in ARMS:
            for curve, confidence in zip(curves[arm], chosen[arm], strict=True):
                axes.plot(CONFIDENCES, curve, color=COLOURS[arm], lw=2 if len(curves[arm]) == 1 else 1.2)
                axes.plot(confidence, np.interp(confidence, CONFIDENCES, curve), "o", color=COLOURS[arm], ms=6)
        axes.set(title=_("{metric} on val").format(metric=name), xlabel=_("confidence"), xlim=(0, 1), ylim=(0, 1.02))
        axes.grid()

    described = _("{metric} over the confidence, with the confidence to deploy each model with").format(metric=name)
    return Panel(f"confidence-{metric}", described, draw, (2.9, 2.5))


def _sampled(thresholds: pd.DataFrame, metric: str) -> FloatArray:
    """A curve at CONFIDENCES; NaN where there is no value, as for the precision of no predictions."""
    known = thresholds.dropna(subset=[metric])
    if known.empty:
        return np.full(CONFIDENCES.shape, np.nan)
    curve: FloatArray = np.interp(CONFIDENCES, known["confidence"], known[metric], right=np.nan)
    return curve
