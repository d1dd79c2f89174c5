"""The report's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.cost_sheet import CostSheet
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison.cost_tables import label
from mobileyolo.reporting.comparison.plots import (
    BACKGROUND,
    Histories,
    confusion_counts,
    mean_training_curve,
    precision_recall_curves,
    training_curve,
)
from mobileyolo.reporting.comparison.tables import METRIC_NAMES, arm_names
from mobileyolo.reporting.shared.panels import COLOURS, Panel, short_label
from mobileyolo.verdict.precision_recall import RECALLS
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison

CURVE_NAMES = {
    "map50_95": "mAP50-95 on val",
    "map50": "mAP50 on val",
    "train_loss": "loss on train",
    "val_loss": "loss on val",
}
COST_AXES = {
    "latency_ms": ("latency (PyTorch), ms", 1.0),
    "gflops": ("GFLOPs", 1.0),
    "parameters": ("parameters, millions", 1e6),
}
# Colours of a bar's parts and of the text in them: the backbone, which differs, is dark.
PART_COLOURS = {"backbone": ("muted", "page"), "neck": ("line", "ink"), "head": ("band", "ink")}
SHEET_AXES = {"gflops": ("GFLOPs", 1e9), "parameters": ("parameters, millions", 1e6)}
SMALL_STOCK = ("yolo11n", "yolo11s")
MOST_LABELS = 30  # classes in a confusion matrix with their names beside it
MOST_NUMBERS = 12  # classes in a confusion matrix with numbers in it


def forest(comparison: Comparison) -> Panel:
    """The differences with their intervals, and the margin in which a difference does not matter."""

    def draw(axes: Axes) -> None:
        axes.axvspan(-comparison.margin, comparison.margin, color=COLOURS["band"], lw=0)
        axes.axvline(0, color=COLOURS["muted"], lw=0.8)
        for row, key in enumerate(METRIC_NAMES):
            metric = comparison.metrics[key]
            colour, deciding = COLOURS[metric.verdict], key == DECIDING_METRIC
            # hlines, because the caps of plot would make the interval look longer than it is.
            axes.hlines(row, metric.low, metric.high, color=colour, lw=3 if deciding else 1.8)
            axes.plot(metric.delta, row, "o", color=colour, ms=8 if deciding else 6)
        low = min(-1.5 * comparison.margin, *(metric.low for metric in comparison.metrics.values()))
        high = max(1.5 * comparison.margin, *(metric.high for metric in comparison.metrics.values()))
        pad = 0.06 * (high - low) or 0.01  # a model against itself, without a margin: all are 0
        axes.set(xlim=(low - pad, high + pad), ylim=(len(METRIC_NAMES) - 0.5, -0.6))
        axes.set_yticks(range(len(METRIC_NAMES)), METRIC_NAMES.values(), color=COLOURS["ink"])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"{baseline} leads  ←  difference  →  {candidate} leads")

    baseline, candidate = arm_names(comparison)
    described = "; ".join(
        f"{name} {comparison.metrics[key].delta:+.3f}, {comparison.metrics[key].verdict}"
        for key, name in METRIC_NAMES.items()
    )
    return Panel("forest", f"Differences with intervals: {described}", draw, (4.4, 2.3))


def accuracy_cost(
    comparison: Comparison, baseline: Sequence[ArmResult], candidate: Sequence[ArmResult], cost: str
) -> Panel:
    """mAP50-95 over one of COST_AXES: one point for each arm, faint ones for its seeds."""
    label, unit = COST_AXES[cost]
    lead, price = comparison.metrics[DECIDING_METRIC], comparison.costs[cost]
    places = {"baseline": (price.baseline / unit, lead.baseline), "candidate": (price.candidate / unit, lead.candidate)}
    values = {
        "baseline": [result.metrics.map50_95 for result in baseline],
        "candidate": [result.metrics.map50_95 for result in candidate],
    }

    def draw(axes: Axes) -> None:
        (x0, y0), (x1, y1) = places["baseline"], places["candidate"]
        axes.plot([x0, x1], [y0, y1], color=COLOURS["line"], lw=1.2, zorder=1)
        axes.vlines(x1, y0 + lead.low, y0 + lead.high, color=COLOURS["candidate"], lw=1.5, alpha=0.6)
        for arm, (x, y) in places.items():
            axes.plot([x] * len(values[arm]), values[arm], "o", color=COLOURS[arm], alpha=0.35, ms=4, mew=0)
            axes.plot(x, y, "o", color=COLOURS[arm], ms=9)
        shown = [*values["baseline"], *values["candidate"], y0 + lead.low, y0 + lead.high]
        pad = max(0.25 * (max(shown) - min(shown)), 0.02)
        axes.set(xlim=(0, 1.2 * max(x0, x1)), ylim=(min(shown) - pad, max(shown) + pad))
        axes.set(xlabel=label, ylabel="mAP50-95")
        axes.grid()

    described = ", ".join(
        f"{name} {y:.3f} at {x:.2f}" for name, (x, y) in zip(arm_names(comparison), places.values(), strict=True)
    )
    return Panel(f"cost-{cost}", f"mAP50-95 over {label}: {described}", draw, (2.65, 2.4))


def training(histories: Histories, name: str) -> Panel:
    """One of CURVE_NAMES over the epochs: the seeds faint, their mean bold."""

    def draw(axes: Axes) -> None:
        for arm in ARMS:
            seeds = [training_curve(history, name) for history in histories[arm]]
            for seed in seeds if len(seeds) > 1 else []:
                axes.plot(seed.index, seed, color=COLOURS[arm], lw=1, alpha=0.35)
            mean = mean_training_curve(histories[arm], name)
            axes.plot(mean.index, mean, color=COLOURS[arm], marker="o" if len(mean) == 1 else "")
        axes.set(title=CURVE_NAMES[name], xlabel="epoch")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        axes.grid(axis="y")

    ends = {arm: mean_training_curve(histories[arm], name).iloc[-1] for arm in ARMS}
    described = f"baseline ends at {ends['baseline']:.3f}, candidate at {ends['candidate']:.3f}"
    return Panel(f"training-{name}", f"{CURVE_NAMES[name]} over the epochs: {described}", draw)


def precision_recall(baseline: Sequence[ArmResult], candidate: Sequence[ArmResult]) -> Panel:
    """Precision over recall at IoU threshold 0.5, mean over the classes: the seeds faint, their mean bold."""
    curves = {"baseline": precision_recall_curves(baseline), "candidate": precision_recall_curves(candidate)}

    def draw(axes: Axes) -> None:
        for arm, seeds in curves.items():
            for seed in seeds if len(seeds) > 1 else []:
                axes.plot(RECALLS, seed, color=COLOURS[arm], lw=1, alpha=0.35)
            axes.plot(RECALLS, seeds.mean(0), color=COLOURS[arm])
        axes.set(title="precision over recall, IoU 0.5", xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        axes.grid()

    return Panel("precision-recall", "Precision over recall at IoU 0.5, mean over the classes", draw)


def confusion(arm: Arm, name: str, results: Sequence[ArmResult]) -> Panel:
    """Share of each class's boxes that were predicted as each class; one row for each actual class."""
    counts = confusion_counts(results)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    labels = [short_label(label) for label in (*results[0].statistics.names, BACKGROUND)]
    classes = len(labels)

    def draw(axes: Axes) -> None:
        # The share is the opacity of a cell, which works on a light and on a dark page.
        for row, column in np.argwhere(shares >= 0.005):
            share = shares[row, column]
            axes.add_patch(Rectangle((column, row), 1, 1, color=COLOURS[arm], alpha=round(share, 2), lw=0))
            if classes <= MOST_NUMBERS:
                colour = COLOURS["page" if share > 0.7 else "ink"]
                axes.text(
                    column + 0.5, row + 0.5, f"{share:.0%}"[:-1], ha="center", va="center", color=colour, fontsize=7.5
                )
        axes.set(title=name, xlabel="predicted", ylabel="actual", xlim=(0, classes), ylim=(classes, 0), aspect="equal")
        axes.spines[:].set_visible(True)
        axes.tick_params(length=0)
        if classes <= MOST_LABELS:
            places = np.arange(classes) + 0.5
            fontsize = 8 if classes <= MOST_NUMBERS else 6
            axes.set_xticks(places, labels, fontsize=fontsize, rotation=90, parse_math=False)
            axes.set_yticks(places, labels, fontsize=fontsize, parse_math=False)
        else:
            axes.set(xticks=[], yticks=[])

    right = np.diag(shares)[:-1].mean() if classes > 1 else 0
    return Panel(
        f"confusion-{arm}", f"Confusion matrix of {name}: {right:.0%} of an average class found", draw, (4.1, 4.1)
    )


def cost_parts(sheet: CostSheet, arms: Mapping[str, Sequence[Arm]], quantity: str) -> Panel:
    """One cost of each backbone, stacked by backbone, neck and head; the arms' names are in their colours.

    Args:
        sheet: the cost sheet.
        arms: which arms a model is, by its label.
        quantity: a key of SHEET_AXES; GFLOPs are those at resolution multiplier 1.
    """
    # With the larger stock models, all other bars would be too short to read.
    shown = [
        model for model in sheet.models if model.width is not None or model.name in SMALL_STOCK or arms[label(model)]
    ]
    axis, unit = SHEET_AXES[quantity]
    parts = [model.flops[0] if quantity == "gflops" else model.parameters for model in shown]
    widest = max(each.total for each in parts)

    def draw(axes: Axes) -> None:
        for row, each in enumerate(parts):
            left = 0
            for (name, (face, ink)), share in zip(PART_COLOURS.items(), each.shares, strict=True):
                count = getattr(each, name)
                axes.barh(row, count / unit, 0.68, left / unit, color=COLOURS[face], label=name if row == 0 else None)
                if count > 0.1 * widest:
                    middle = (left + count / 2) / unit
                    axes.text(middle, row, f"{share:.0%}", ha="center", va="center", color=COLOURS[ink], fontsize=7.5)
                left += count
        axes.set(xlabel=axis, ylim=(len(shown) - 0.5, -0.5))
        axes.set_yticks(range(len(shown)), [label(model) for model in shown], color=COLOURS["ink"])
        for model, tick in zip(shown, axes.get_yticklabels(), strict=True):
            for arm in arms[label(model)]:
                tick.set(color=COLOURS[arm], fontweight="bold")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8, handlelength=1, borderpad=0)

    described = "; ".join(
        f"{label(model)} {each.total / unit:.2f}, of which backbone {each.shares[0]:.0%}"
        for model, each in zip(shown, parts, strict=True)
    )
    return Panel(f"parts-{quantity}", f"{axis}: {described}", draw, (4.1, 2.8))
