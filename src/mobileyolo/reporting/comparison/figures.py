"""The report's figures of the differences: in accuracy, for its cost, by kind of error, and in confusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison.plots import confusion_counts
from mobileyolo.reporting.comparison.words import METRIC_NAMES, error_names, style, verdict_names
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.reporting.shared.panels import COLOURS, Panel, short_label
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison
from mobileyolo.verdict.sentences import names

COSTS = ("latency_ms", "gflops", "parameters")  # that accuracy is drawn over
MOST_LABELS = 30  # classes in a confusion matrix with their names beside it
MOST_NUMBERS = 12  # classes in a confusion matrix with numbers in it


def forest(comparison: Comparison, _: Translate) -> Panel:
    """The differences with their intervals, and the margin in which a difference does not matter.

    The thick bar is the part that the choice of images gives; the thin one has the luck of training, too.
    """
    baseline, candidate = names(comparison, _)

    def draw(axes: Axes) -> None:
        axes.axvspan(-comparison.margin, comparison.margin, color=COLOURS["band"], lw=0)
        axes.axvline(0, color=COLOURS["muted"], lw=0.8)
        for row, key in enumerate(METRIC_NAMES):
            metric = comparison.metrics[key]
            colour = COLOURS[style(metric.verdict)] if metric.verdict else COLOURS["muted"]
            # hlines, because the caps of plot would make the interval look longer than it is.
            axes.hlines(row, metric.low, metric.high, color=colour, lw=1.4)
            inner = metric.delta - metric.images_below, metric.delta + metric.images_above
            axes.hlines(row, *inner, color=colour, lw=6 if key == DECIDING_METRIC else 4.5, alpha=0.55)
            axes.vlines((metric.low, metric.high), row - 0.12, row + 0.12, color=colour, lw=1.4)
            axes.plot(metric.delta, row, "o", color=colour, ms=8 if key == DECIDING_METRIC else 6)
        low = min(-1.5 * comparison.margin, *(metric.low for metric in comparison.metrics.values()))
        high = max(1.5 * comparison.margin, *(metric.high for metric in comparison.metrics.values()))
        pad = 0.06 * (high - low) or 0.01  # a model against itself, without a margin: all are 0
        axes.set(xlim=(low - pad, high + pad), ylim=(len(METRIC_NAMES) - 0.5, -0.6))
        axes.set_yticks(range(len(METRIC_NAMES)), METRIC_NAMES.values(), color=COLOURS["ink"])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(
            _("{baseline} leads  ←  difference  →  {candidate} leads").format(baseline=baseline, candidate=candidate)
        )

    verdicts = {key: comparison.metrics[key].verdict for key in METRIC_NAMES}
    differences = "; ".join(
        f"{name} {comparison.metrics[key].delta:+.3f}" + (f", {verdict_names(_)[verdict]}" if verdict else "")
        for (key, verdict), name in zip(verdicts.items(), METRIC_NAMES.values(), strict=True)
    )
    described = _("Differences with intervals: {differences}").format(differences=differences)
    return Panel("forest", described, draw, (4.4, 2.0))


def accuracy_cost(comparison: Comparison, cost: str, _: Translate) -> Panel:
    """mAP50-95 over one of COSTS: one point for each arm, faint ones for its seeds."""
    label, unit = {
        "latency_ms": (_("latency, ms"), 1.0),
        "gflops": ("GFLOPs", 1.0),
        "parameters": (_("parameters, millions"), 1e6),
    }[cost]
    lead, price = comparison.metrics[DECIDING_METRIC], comparison.costs[cost]
    places = {"baseline": (price.baseline / unit, lead.baseline), "candidate": (price.candidate / unit, lead.candidate)}
    values = {"baseline": comparison.baseline.map50_95, "candidate": comparison.candidate.map50_95}

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
        _("{model} {map} at {cost}").format(model=name, map=f"{y:.3f}", cost=f"{x:.2f}")
        for name, (x, y) in zip(names(comparison, _), places.values(), strict=True)
    )
    title = _("mAP50-95 over {cost}: {models}").format(cost=label, models=described)
    return Panel(f"cost-{cost}", title, draw, (2.65, 2.4))


def errors(comparison: Comparison, _: Translate) -> Panel:
    """What each kind of error costs both models: the AP50 that each would gain without it."""
    kinds = error_names(_)
    arms = dict(zip(ARMS, names(comparison, _), strict=True))

    def draw(axes: Axes) -> None:
        for shift, arm in zip((-0.2, 0.2), ARMS, strict=True):
            for row, each in enumerate(comparison.errors):
                axes.barh(row + shift, getattr(each, arm), 0.36, color=COLOURS[arm])
        axes.set(xlabel=_("AP50 lost"), ylim=(len(comparison.errors) - 0.5, -0.5))
        axes.set_xlim(left=min(0.0, *(min(each.baseline, each.candidate) for each in comparison.errors)))
        axes.set_yticks(
            range(len(comparison.errors)), [kinds[each.kind] for each in comparison.errors], color=COLOURS["ink"]
        )
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")

    costs = "; ".join(
        f"{kinds[each.kind]}: {arms['baseline']} {each.baseline:.3f}, {arms['candidate']} {each.candidate:.3f}"
        for each in comparison.errors
    )
    return Panel("errors", _("AP50 lost by kind of error: {costs}").format(costs=costs), draw, (4.4, 2.8))


def confusion(arm: Arm, name: str, results: Sequence[ArmResult], _: Translate) -> Panel:
    """Share of each class's boxes that were predicted as each class; one row for each actual class."""
    counts = confusion_counts(results)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    labels = [short_label(label) for label in (*results[0].statistics.names, _("background"))]
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
        axes.set(
            title=name, xlabel=_("predicted"), ylabel=_("actual"), xlim=(0, classes), ylim=(classes, 0), aspect="equal"
        )
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
    described = _("Confusion matrix of {model}: {share} of an average class found").format(
        model=name, share=f"{right:.0%}"
    )
    return Panel(f"confusion-{arm}", described, draw, (4.1, 4.1))
