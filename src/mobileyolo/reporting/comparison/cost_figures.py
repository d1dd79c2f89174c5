"""The figures of the cost sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from mobileyolo.core.backbones import Arm
from mobileyolo.core.cost_sheet import CostSheet
from mobileyolo.reporting.comparison.cost_tables import label
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.reporting.shared.panels import COLOURS, Panel

# Colours of a bar's parts and of the text in them: the backbone, which differs, is dark.
PART_COLOURS = {"backbone": ("muted", "page"), "neck": ("line", "ink"), "head": ("band", "ink")}
QUANTITIES = ("gflops", "parameters")
SMALL_STOCK = ("yolo11n", "yolo11s")


def cost_parts(sheet: CostSheet, arms: Mapping[str, Sequence[Arm]], quantity: str, _: Translate) -> Panel:
    """One cost of each backbone, stacked by backbone, neck and head; the arms' names are in their colours.

    Args:
        sheet: the cost sheet.
        arms: which arms a model is, by its label.
        quantity: one of QUANTITIES; GFLOPs are those at resolution multiplier 1.
    """
    # With the larger stock models, all other bars would be too short to read.
    shown = [
        model for model in sheet.models if model.width is not None or model.name in SMALL_STOCK or arms[label(model)]
    ]
    axis, unit = {"gflops": ("GFLOPs", 1e9), "parameters": (_("parameters, millions"), 1e6)}[quantity]
    part_names = {"backbone": _("backbone"), "neck": _("neck"), "head": _("head")}
    parts = [model.flops[0] if quantity == "gflops" else model.parameters for model in shown]
    widest = max(each.total for each in parts)

    def draw(axes: Axes) -> None:
        for row, each in enumerate(parts):
            left = 0
            for (name, (face, ink)), share in zip(PART_COLOURS.items(), each.shares, strict=True):
                count = getattr(each, name)
                axes.barh(
                    row,
                    count / unit,
                    0.68,
                    left / unit,
                    color=COLOURS[face],
                    label=part_names[name] if row == 0 else None,
                )
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
        _("{model} {total}, of which backbone {share}").format(
            model=label(model), total=f"{each.total / unit:.2f}", share=f"{each.shares[0]:.0%}"
        )
        for model, each in zip(shown, parts, strict=True)
    )
    return Panel(f"parts-{quantity}", f"{axis}: {described}", draw, (4.1, 2.8))
