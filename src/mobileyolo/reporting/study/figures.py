"""The figures of a study: fronts of accuracy against each cost, and accuracy over width and resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mobileyolo.family.curves import Curve, front, over_resolution, over_width
from mobileyolo.family.family import Family
from mobileyolo.family.models import Model
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.reporting.shared.panels import COLOURS, Panel
from mobileyolo.reporting.study import words

FRONTS = ("latency_ms", "gflops", "parameters", "weights_mb")  # costs that accuracy is drawn against
_MARKERS = "os^Dv<>p"
_LINES = ("-", "--", ":", "-.")
_LEGEND_LINE = 0.17  # inches


def fronts(family: Family, _: Translate) -> list[Panel]:
    """mAP50-95 against each cost that was measured."""
    known = [cost for cost in FRONTS if any(cost in model.costs for model in family.models)]
    return [_front(family, cost, _) for cost in known]


def _front(family: Family, cost: str, _: Translate) -> Panel:
    """A point for each model with its number, and a line through those that no other one beats."""
    axis, scale = words.cost_names(_)[cost], words.UNITS[cost]
    best = front(family.models, cost)

    def x_of(model: Model) -> float:
        return model.costs[cost].value / scale

    def draw(axes: Axes) -> None:
        axes.plot(*zip(*((x_of(each), each.map50_95) for each in best), strict=True), color=COLOURS["muted"], lw=1.2)
        for group in family.groups:
            for model in group.models:
                if cost not in model.costs:
                    continue
                x, colour = x_of(model), COLOURS["candidate" if model.trial else "baseline"]
                _draw_interval(axes, x, model, group.baseline)
                low, high = model.costs[cost].low, model.costs[cost].high
                if low is not None and high is not None:
                    reference = x_of(group.baseline)
                    axes.hlines(model.map50_95, low * reference, high * reference, color=colour, lw=1.5, alpha=0.45)
                face = colour if model in best else COLOURS["page"]
                axes.plot(x, model.map50_95, "o" if model.trial else "s", color=colour, mfc=face, ms=6.5, mew=1.4)
                # A baseline is often beside a candidate, as one is made to be of equal cost.
                shift, side = (5, "left") if model.trial else (-5, "right")
                place = (x, model.map50_95)
                axes.annotate(
                    str(model.number), place, (shift, 4), textcoords="offset points", ha=side, color=COLOURS["ink"],
                    fontsize=8,
                )  # fmt: skip
        axes.margins(x=0.12, y=0.08)
        axes.set_xlim(left=0)
        axes.set(xlabel=axis, ylabel="mAP50-95")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.grid()

    parts = words.differing(family)
    listed = ", ".join(
        _("{model} {map} at {cost}").format(
            model=words.label(model, parts, _), map=f"{model.map50_95:.3f}", cost=f"{x_of(model):.2f}"
        )
        for model in best
    )
    described = _("mAP50-95 over {cost}; no other model beats {models}").format(cost=axis, models=listed)
    return Panel(f"front-{cost}", described, draw)


def _draw_interval(axes: Axes, x: float, model: Model, baseline: Model) -> None:
    """That of the model's difference, drawn from the baseline's accuracy on."""
    if model.lead:
        low, high = (baseline.map50_95 + end for end in (model.lead.interval.low, model.lead.interval.high))
        axes.vlines(x, low, high, color=COLOURS["candidate"], lw=1.5, alpha=0.45)


def curves(family: Family, _: Translate) -> list[Panel]:
    """Accuracy over width and over resolution, where the study has more than one of them."""
    parts, baselines = words.differing(family), {each.number: g.baseline for g in family.groups for each in g.models}
    panels = []
    if widths := over_width(family.groups):

        def named(model: Model) -> str:
            setup = words.setup_name(model, parts, _)
            name = "MobileNetV1" if model.trial else model.backbone
            return _("{model} ({setup})").format(model=name, setup=setup) if setup else name

        panels.append(
            _curves("width", _("width multiplier α"), widths, lambda model: model.width or 0.0, named, baselines, _)
        )
    if sides := over_resolution(family.groups):
        rest = parts - {"imgsz"}
        panels.append(
            _curves(
                "resolution",
                _("resolution, px"),
                sides,
                lambda model: model.setup.imgsz,
                lambda model: words.label(model, rest, _),
                baselines,
                _,
            )
        )
    return panels


def _curves(
    name: str,
    axis: str,
    drawn: Sequence[Curve],
    x_of: Callable[[Model], float],
    name_of: Callable[[Model], str],
    baselines: dict[int, Model],
    _: Translate,
) -> Panel:
    places = sorted({x_of(model) for curve in drawn for model in curve.models})

    def draw(axes: Axes) -> None:
        for curve, marker, line in zip(drawn, cycle(_MARKERS), cycle(_LINES)):
            first = curve.models[0]
            colour = COLOURS["candidate" if first.trial else "baseline"]
            points = [(x_of(model), model.map50_95) for model in curve.models]
            axes.plot(*zip(*points, strict=True), line, marker=marker, ms=6, color=colour, label=name_of(first), lw=1.6)
            for model in curve.models:
                _draw_interval(axes, x_of(model), model, baselines[model.number])
            if curve.reference:
                reference = curve.reference
                axes.axhline(
                    reference.map50_95, ls=line, color=COLOURS["baseline"], lw=1.4, label=name_of(reference), zorder=1
                )
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.margins(x=0.08, y=0.08)
        axes.set(xlabel=axis, ylabel="mAP50-95")
        axes.grid(axis="y")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=8, borderpad=0, labelcolor=COLOURS["ink"])

    described = "; ".join(
        f"{name_of(curve.models[0])}, {', '.join(f'{x_of(each):g}: {each.map50_95:.3f}' for each in curve.models)}"
        for curve in drawn
    )
    title = _("mAP50-95 over {cost}: {models}").format(cost=axis, models=described)
    lines = sum(2 if curve.reference else 1 for curve in drawn)
    return Panel(f"over-{name}", title, draw, (4.1, 2.6 + _LEGEND_LINE * lines))
