"""The models of a study as tables, for its page, for Markdown, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from mobileyolo.core.files import NONE
from mobileyolo.core.text import printable
from mobileyolo.family.family import Family
from mobileyolo.family.models import COSTS, LATENCIES, Cost, Model
from mobileyolo.reporting.comparison.words import interval
from mobileyolo.reporting.shared.cells import Table
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.reporting.study import words


def model_table(family: Family, _: Translate) -> Table:
    """Every model; the last cell is the verdict on its difference from the baseline of equal terms."""
    columns, costs, names = _columns(family, _), _measured(family), words.cost_names(_)
    confidence = _("{confidence} interval").format(confidence=words.percent(family.confidence))
    header = (
        *(_("model"), _("no."), "px", *columns),
        *("mAP50-95", _("difference"), confidence, *(names[name] for name in costs), _("verdict")),
    )
    align = f"lrr{'l' * len(columns)}rrr{'r' * len(costs)}l"
    rows, marks = [], []
    for place, model in enumerate(family.models):
        difference, mark, verdict = ("", ""), "", ""
        if model.lead:
            told = model.lead.interval
            difference = f"{told.delta:+.3f}", interval(told, _)
            mark, verdict = words.badge(family, model.lead, (_baseline(family, model), model), _)
        cells = (
            *(model.backbone, str(model.number), str(model.setup.imgsz)),
            *(column[place] for column in columns.values()),
            f"{model.map50_95:.3f}",
            *difference,
            *(_cost(name, model.costs.get(name), _) for name in costs),
            verdict,
        )
        rows.append(cells)
        marks.append(mark)
    return Table(header, align, tuple(rows), tuple(marks))


def _columns(family: Family, _: Translate) -> dict[str, list[str]]:
    """Cells on start, teacher and recipe, by header; without a column that would hold nothing but `none`."""
    models, columns = family.models, {}
    if any(model.setup.start != NONE for model in models):
        columns[_("starts from")] = [words.start_name(model, _) for model in models]
    if any(model.setup.teacher != NONE for model in models):
        columns[_("taught by")] = [words.teacher_name(model, _) for model in models]
    if family.tuned:
        columns[_("recipe")] = [model.recipe for model in models]
    return columns


def _measured(family: Family) -> list[str]:
    return [name for name in COSTS if any(name in model.costs for model in family.models)]


def _baseline(family: Family, model: Model) -> Model:
    return next(group.baseline for group in family.groups if model in group.models)


def _cost(name: str, cost: Cost | None, _: Translate) -> str:
    return "" if cost is None else f"{cost.value / words.UNITS[name]:,.2f}{_busy(cost, _)}"


def _busy(cost: Cost, _: Translate) -> str:
    return " " + _("machine busy") if cost.busy else ""


def ratio_table(family: Family, _: Translate) -> Table:
    """Each candidate's costs, divided by those of its baseline; latencies with the interval of their ratio."""
    names = {
        "latency_ms": _("latency"),
        "latency_onnx_ms": _("ONNX Runtime latency"),
        "gflops": "GFLOPs",
        "parameters": _("parameters"),
        "weights_mb": _("weights"),
    }
    costs, parts = _measured(family), words.differing(family)
    rows = [
        (words.label(model, parts, _), *(_ratio(model.costs.get(name), _) for name in costs))
        for model in family.models
        if model.lead
    ]
    header = (_("cost / baseline’s"), *(names[name] for name in costs))
    return Table(header, "l" + "r" * len(costs), tuple(rows))


def _ratio(cost: Cost | None, _: Translate) -> str:
    if cost is None or cost.ratio is None:
        return ""
    ends = ""
    if cost.low is not None and cost.high is not None:
        ends = " ({})".format(_("{low} to {high}").format(low=f"{cost.low:.2f}", high=f"{cost.high:.2f}"))
    return f"{cost.ratio:.2f}{ends}{_busy(cost, _)}"


def pair_table(family: Family, _: Translate) -> Table:
    """Candidates with the same baseline among each other; the last cell is the verdict on the first one."""
    parts = words.differing(family)
    rows, marks = [], []
    for pair in family.pairs:
        mark, verdict = words.badge(family, pair.lead, (pair.model, pair.other), _)
        names = (words.label(each, parts, _) for each in (pair.model, pair.other))
        told = pair.lead.interval
        rows.append((*names, f"{told.delta:+.3f}", interval(told, _), verdict))
        marks.append(mark)
    confidence = _("{confidence} interval").format(confidence=words.percent(family.pair_confidence))
    header = (_("model"), _("against"), _("difference"), confidence, _("verdict"))
    return Table(header, "llrrl", tuple(rows), tuple(marks))


def recipe_table(family: Family, _: Translate) -> Table:
    """All recipes of every model with what they reached on val, by which one was chosen."""
    parts = words.differing(family)
    rows = tuple(
        (
            words.label(model, parts, _),
            tried.recipe,
            f"{tried.val_map50_95:.3f}",
            _("yes") if tried == model.choice.chosen else "",
            tried.trial,
        )
        for model in family.models
        if model.choice
        for tried in model.choice.tried
    )
    return Table((_("model"), _("recipe"), _("mAP50-95 on val"), _("chosen"), _("trial")), "llrll", rows)


def unjudged_table(family: Family, _: Translate) -> Table:
    """Candidates that are in no table yet, and what they wait for."""
    rows = tuple((words.unjudged_name(each, _), words.waits_for(each, _)) for each in family.unjudged)
    return Table((_("model"), _("reason")), "ll", rows)


def trial_table(family: Family, _: Translate) -> Table:
    """The experiments that the candidates are from."""
    parts = words.differing(family)
    rows = tuple((words.label(model, parts, _), model.trial) for model in family.models if model.trial)
    return Table((_("model"), _("trial")), "ll", rows)


def excluded_table(family: Family, _: Translate) -> Table:
    """Trials that can't be compared with those in the table, and why."""
    rows = tuple((each.trial, words.excluded(each, _)) for each in family.excluded)
    return Table((_("trial"), _("reason")), "ll", rows)


def as_csv(family: Family) -> str:
    """A line for each model, with all digits; empty cells where nothing is known."""
    file = io.StringIO()
    writer = csv.DictWriter(file, _CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(_line(family, model)) for model in family.models)
    return file.getvalue()


_CSV_COLUMNS = (
    *("number", "model", "width", "arm", "trial", "imgsz", "start", "teacher", "seeds", "map50_95"),
    *("recipe", "val_map50_95", "tried"),
    *("difference", "low", "high", "confidence", "verdict", "provisional"),
    *COSTS,
    *(f"{name}_{part}" for name in LATENCIES for part in ("ratio", "ratio_low", "ratio_high", "busy")),
)


def _line(family: Family, model: Model) -> Iterator[tuple[str, object]]:
    yield from (("number", model.number), ("model", model.backbone), ("width", model.width))
    yield from (("arm", "candidate" if model.trial else "baseline"), ("trial", model.trial))
    yield from (("imgsz", model.setup.imgsz), ("start", printable(model.setup.start)))
    yield from (("teacher", printable(model.setup.teacher)), ("map50_95", model.map50_95))
    yield "seeds", " ".join(map(str, family.comparison.seeds))
    if model.choice:
        chosen, tried = model.choice.chosen, model.choice.tried
        yield from (("recipe", chosen.recipe), ("val_map50_95", chosen.val_map50_95))
        yield "tried", "; ".join(f"{each.recipe}: {each.val_map50_95}" for each in tried)
    if model.lead:
        told = model.lead.interval
        yield from (("difference", told.delta), ("low", told.low), ("high", told.high))
        yield from (("confidence", round(family.confidence, 6)), ("verdict", model.lead.verdict))
        yield "provisional", str(family.comparison.provisional).lower()
    for name, cost in model.costs.items():
        yield name, cost.value
        if name in LATENCIES:
            yield from (
                (f"{name}_ratio", cost.ratio),
                (f"{name}_ratio_low", cost.low),
                (f"{name}_ratio_high", cost.high),
            )
            yield f"{name}_busy", str(cost.busy).lower()
