"""The comparison's words: names of verdicts, metrics, costs and errors, and why an arm is behind."""

from __future__ import annotations

from collections.abc import Sequence

from mobileyolo.core.records import LatencySetting
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.verdict.records import (
    DECIDING_METRIC,
    Comparison,
    CostRatio,
    ErrorCost,
    ErrorKind,
    Interval,
    Verdict,
)
from mobileyolo.verdict.sentences import is_tentative, names

METRIC_NAMES = {"map50_95": "mAP50-95", "map50": "mAP50", "map75": "mAP75"}
MOST_KINDS = 2  # of errors in the sentence


def verdict_names(_: Translate) -> dict[Verdict, str]:
    """The six verdicts."""
    return {
        "better": _("better"),
        "worse": _("worse"),
        "equivalent": _("equivalent"),
        "no worse": _("no worse"),
        "no better": _("no better"),
        "inconclusive": _("inconclusive"),
    }


def style(verdict: Verdict) -> str:
    """A verdict's colour, by its name in the style sheet and in `panels.COLOURS`.

    >>> style("no worse")
    'no-worse'
    """
    return verdict.replace(" ", "-")


def badge(comparison: Comparison, _: Translate) -> tuple[str, str]:
    """The verdict's style and text; grey where the models have not learnt enough, or the images are too few."""
    verdict = verdict_names(_)[comparison.verdict]
    if comparison.guards.few_scenes == "no verdict":
        return "grey", _("no verdict")
    if is_tentative(comparison):
        return "grey", _("{verdict} after {epochs} epochs").format(verdict=verdict, epochs=comparison.epochs)
    return style(comparison.verdict), verdict


def deployed_names(_: Translate) -> dict[str, str]:
    """Metrics at a chosen confidence, by DEPLOYED_METRICS."""
    return {"precision": _("precision"), "recall": _("recall"), "f1": "F1"}


def cost_name(key: str, cost: CostRatio, _: Translate) -> str:
    """What a row of the cost table is called; a latency by its setting."""
    counted = {"parameters": _("parameters"), "gflops": "GFLOPs", "weights_mb": _("weights")}
    return _("latency: {setting}").format(setting=_setting(cost.setting, _)) if cost.setting else counted[key]


def _setting(setting: LatencySetting, _: Translate) -> str:
    one, several = _("1 image of {height} x {width} px"), _("{batch} images of {height} x {width} px")
    images = (one if setting.batch == 1 else several).format(**setting.model_dump())
    suppression = _("with suppression") if setting.suppression else _("without suppression")
    return _("{engine}, {images}, {suppression}").format(engine=setting.engine, images=images, suppression=suppression)


def latency_circumstances(comparison: Comparison, _: Translate) -> str:
    """What the latencies were measured with."""
    one, several = _("1 thread of {machine}"), _("{threads} threads of {machine}")
    threads = comparison.latency_threads
    return (one if threads == 1 else several).format(threads=threads, machine=comparison.latency_machine)


def error_names(_: Translate) -> dict[ErrorKind, str]:
    """The kinds of errors."""
    return {
        "class": _("wrong class"),
        "location": _("badly placed"),
        "both": _("wrong class and badly placed"),
        "duplicate": _("found twice"),
        "background": _("nothing labelled there"),
        "missed": _("missed"),
    }


def error_meanings(_: Translate) -> dict[ErrorKind, str]:
    """What each kind of error is."""
    return {
        "class": _("The box lies on an object (IoU 0.5 or more), but is called by another class’s name."),
        "location": _("The box has the right class, but lies on its object with an IoU of only 0.1 to 0.5."),
        "both": _("The box lies on an object of another class, with an IoU of only 0.1 to 0.5."),
        "duplicate": _("The box is right, but a more confident one has found that object already."),
        "background": _("The box lies on no labelled object: its IoU with all of them is 0.1 or less."),
        "missed": _("A labelled object that no box found, not even by a wrong class or a badly placed box."),
    }


def interval(value: Interval, _: Translate) -> str:
    """Both ends of an interval."""
    return _("{low} to {high}").format(low=f"{value.low:+.3f}", high=f"{value.high:+.3f}")


def _ratio_interval(cost: CostRatio, _: Translate) -> str:
    if cost.low is None or cost.high is None:
        return ""
    return " ({})".format(_("{low} to {high}").format(low=f"{cost.low:.2f}", high=f"{cost.high:.2f}"))


def ratio(cost: CostRatio, _: Translate) -> str:
    """A ratio with its interval, and whether the machine was busy."""
    busy = " " + _("machine busy") if cost.busy else ""
    return f"{cost.ratio:.2f}{_ratio_interval(cost, _)}{busy}"


def error_sentence(comparison: Comparison, _: Translate) -> str:
    """The kinds of errors that explain the difference: those that cost the arm that is behind more than the other."""
    baseline, candidate = names(comparison, _)
    behind = comparison.metrics[DECIDING_METRIC].delta < 0
    kinds = _explaining(comparison.errors, behind)
    if not kinds:
        return _("No kind of error costs {behind} more AP50 than {ahead}.").format(
            behind=candidate if behind else baseline, ahead=baseline if behind else candidate
        )
    kind_names = error_names(_)
    costs = _("; ").join(
        _("“{kind}” costs it {own} AP50, {other} {others}").format(
            kind=kind_names[each.kind],
            own=f"{each.candidate if behind else each.baseline:.3f}",
            other=baseline if behind else candidate,
            others=f"{each.baseline if behind else each.candidate:.3f}",
        )
        for each in kinds
    )
    return _("{behind} is behind most by these errors: {costs}.").format(
        behind=candidate if behind else baseline, costs=costs
    )


def _explaining(errors: Sequence[ErrorCost], candidate_behind: bool) -> list[ErrorCost]:
    """The kinds that cost the arm behind most, by how much more than the other arm."""
    sign = 1 if candidate_behind else -1
    worst = sorted((each for each in errors if sign * each.delta > 0), key=lambda each: -sign * each.delta)
    return [each for each in worst[:MOST_KINDS] if abs(each.delta) >= 0.2 * abs(worst[0].delta)]
