"""The words of a study's page: names of models, what its intervals hold for, and which model to take."""

from __future__ import annotations

from collections.abc import Iterator

from mobileyolo.core.files import NONE
from mobileyolo.family.comparable import Excluded, Mismatch
from mobileyolo.family.family import Family
from mobileyolo.family.members import Unjudged
from mobileyolo.family.models import Lead, Model
from mobileyolo.family.recommendation import QUOTED, Recommendation
from mobileyolo.reporting.comparison.words import interval, style, verdict_names
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.reporting.shared.pages import shown
from mobileyolo.verdict.guards import rare_classes_decide
from mobileyolo.verdict.sentences import joined, only_backbone_differs

# What a cost is divided by where it is shown.
UNITS = {"latency_ms": 1, "latency_onnx_ms": 1, "gflops": 1, "parameters": 1e6, "weights_mb": 1}
_SHORTEST_DIGEST = 8  # characters that are shown
_MOST_DIGITS = 3  # of a confidence in percent


def cost_names(_: Translate) -> dict[str, str]:
    """The costs, with the unit in which they are shown."""
    return {
        "latency_ms": _("latency, ms"),
        "latency_onnx_ms": _("ONNX Runtime, ms"),
        "gflops": "GFLOPs",
        "parameters": _("parameters, millions"),
        "weights_mb": _("weights, MB"),
    }


def start_name(model: Model | Unjudged, _: Translate) -> str:
    """What a model starts from."""
    return _("random weights") if model.setup.start == NONE else shown(model.setup.start)


def teacher_name(model: Model | Unjudged, _: Translate) -> str:
    """Who taught a model."""
    return _("nobody") if model.setup.teacher == NONE else shown(model.setup.teacher)


def differing(family: Family) -> set[str]:
    """What the models of a family differ in beside the backbone: imgsz, start, teacher."""
    setups = [model.setup for model in family.models]
    return {name for name in ("imgsz", "start", "teacher") if len({getattr(setup, name) for setup in setups}) > 1}


def setup_name(model: Model | Unjudged, parts: set[str], _: Translate) -> str:
    """Some of what a model was trained with, such as `256 px, imagenet`; empty without parts."""
    told = {"imgsz": f"{model.setup.imgsz} px", "start": start_name(model, _)}
    told["teacher"] = _("taught by {teacher}").format(teacher=teacher_name(model, _))
    return _(", ").join(text for name, text in told.items() if name in parts)


def label(model: Model | Unjudged, parts: set[str], _: Translate) -> str:
    """A model's name, and in brackets what sets it apart."""
    setup = setup_name(model, parts, _)
    return _("{model} ({setup})").format(model=model.backbone, setup=setup) if setup else model.backbone


def badge(family: Family, lead: Lead, models: tuple[Model, ...], _: Translate) -> tuple[str, str]:
    """The style and text of a verdict on these models; grey where it may well be another one later."""
    verdict, comparison = verdict_names(_)[lead.verdict], family.comparison
    if comparison.guards.few_scenes == "no verdict":
        return "grey", _("no verdict")
    if any(model.maturity != "learnt" for model in models):
        return "grey", _("{verdict} after {epochs} epochs").format(verdict=verdict, epochs=comparison.epochs)
    if comparison.provisional:
        return "grey", _("{verdict}, provisional").format(verdict=verdict)
    return style(lead.verdict), verdict


def percent(confidence: float) -> str:
    """A confidence, with as many digits as tell it from a lower one.

    >>> percent(0.95), percent(1 - 0.05 / 3), percent(1 - 0.05 / 8)
    ('95%', '98.333%', '99.375%')
    """
    return f"{100 * confidence:.{_MOST_DIGITS}f}".rstrip("0").rstrip(".") + "%"


def headline(family: Family, _: Translate) -> str:
    """Which one model to take, or why none can be recommended."""
    found, parts = family.recommendation, differing(family)
    baseline = found.baseline.backbone
    if found.model is not None and found.model.lead is not None:
        claim = {
            "better": _("it is more accurate than {baseline}"),
            "equivalent": _("it is as accurate as {baseline} within {margin}"),
            "no worse": _("it is no less accurate than {baseline} within {margin}"),
        }[found.model.lead.verdict].format(baseline=baseline, margin=f"{family.comparison.margin:g}")
        times = f"{found.model.costs[found.cost].ratio:.2f}"
        return _("Take {model}: {claim}, at {times} times the {cost}.").format(
            model=label(found.model, parts, _), claim=claim, times=times, cost=_cost_word(found, _)
        )
    good = _(" and ").join(label(model, parts, _) for model in found.good)
    why = {
        "provisional": _("one seed can’t show the luck of training"),
        "few scenes": _("{scenes} independent test scenes are too few"),
        "untrained": _("the models have learnt hardly anything"),
        "none is good": _("no candidate is shown to be as accurate as {baseline} within {margin}"),
        "none is cheaper": _("{good}, no less accurate than {baseline} within {margin}, is not shown to be cheaper")
        if len(found.good) == 1
        else _("{good}, no less accurate than {baseline} within {margin}, are not shown to be cheaper"),
    }[found.reason].format(
        scenes=family.comparison.guards.scenes, baseline=baseline, good=good, margin=f"{family.comparison.margin:g}"
    )
    return _("No model can be recommended: {why}.").format(why=why)


def _cost_word(found: Recommendation, _: Translate) -> str:
    return _("latency") if found.cost == QUOTED else "GFLOPs"


def reason(family: Family, _: Translate) -> str:
    """How the recommendation was found, and what qualifies it."""
    return joined(_reason(family, _), _)


def _reason(family: Family, _: Translate) -> Iterator[str]:
    found, parts, comparison = family.recommendation, differing(family), family.comparison
    baseline = label(found.baseline, parts, _)
    if found.model is not None and found.model.lead is not None:
        told = found.model.lead.interval
        yield _("The difference in mAP50-95 is {delta}, its interval {interval}.").format(
            delta=f"{told.delta:+.3f}", interval=interval(told, _)
        )
        if len(found.good) > 1:
            yield _("It has the least {cost} of {count} candidates that are shown to be as accurate.").format(
                cost=_cost_word(found, _), count=len(found.good)
            )
    undecided = [each for each in _judged(family) if each.lead and each.lead.verdict == "inconclusive"]
    if found.reason == "none is good" and undecided:
        yield _("Not decided: {models}; the report of the trial says what would settle it.").format(
            models=_(" and ").join(label(model, parts, _) for model in undecided)
        )
    if found.reason == "provisional":
        yield _("Run the study with three seeds or more: seeds in the section study of params.yaml.")
    if len(family.groups) > 1:
        yield _(
            "Judged were the candidates on equal terms with {baseline}, the most accurate baseline: to be as good as a "
            "weaker one would be no reason to take a model."
        ).format(baseline=baseline)
    unequal = [
        label(model, parts, _)
        for group in family.groups
        for model, member in zip(group.candidates, group.members, strict=True)
        if not only_backbone_differs(member.comparison)
    ]
    if unequal:
        yield _(
            "Not only the backbone differs: {models} did not start, or was not taught, as its baseline was; the report "
            "of the trial says how."
        ).format(models=_(" and ").join(unequal))
    rising = [label(model, parts, _) for model in family.models if model.maturity == "rising"]
    if rising:
        yield _("Still rising when training ended: {models}; this is the state after {epochs} epochs.").format(
            models=_(" and ").join(rising), epochs=comparison.epochs
        )
    if comparison.guards.few_scenes == "caveat":
        yield _("{scenes} scenes are few: other ones may well say something else.").format(
            scenes=comparison.guards.scenes
        )
    if comparison.split == "val":
        yield (
            _("Checkpoints and recipes were chosen on these same images, so all metrics are too optimistic.")
            if family.tuned
            else _("The checkpoints were chosen on these same images, so the metrics of all models are too optimistic.")
        )


def _judged(family: Family) -> tuple[Model, ...]:
    """The candidates on equal terms with the baseline of the recommendation."""
    return next(group.candidates for group in family.groups if group.baseline == family.recommendation.baseline)


def chosen(family: Family, _: Translate) -> str:
    """Which recipe was chosen for which model, and why unequal ones are equal terms; empty without recipes."""
    parts = differing(family)
    choice = family.groups[0].baseline.choice
    if choice is None:
        return ""
    recipes = [
        _("{recipe} for {model}").format(recipe=model.recipe, model=label(model, parts, _)) for model in family.models
    ]
    return _(
        "Each arm is at its best of {count} recipes, chosen on val: {recipes}. Both arms chose among the same ones, so "
        "unequal recipes are equal terms here. Only the chosen models are judged on {split}."
    ).format(count=len(choice.tried), recipes=_(", ").join(recipes), split=family.comparison.split)


def confirmation(family: Family, _: Translate) -> str:
    """How to measure a recommended model once more: by a command, or else in words."""
    found = family.recommendation
    if found.model and found.has_one_recipe:
        return f"mobileyolo confirm {found.model.trial}"
    return _(
        "run the study once more with fresh seeds (study.seeds), which chooses the recipes and judges anew; mobileyolo "
        "confirm would train both arms by one recipe."
    )


def unjudged(each: Unjudged, _: Translate) -> str:
    """A candidate for which no recipe can be chosen, or compared, and why."""
    return _("{model}: {reason}").format(model=unjudged_name(each, _), reason=waits_for(each, _))


def unjudged_name(each: Unjudged, _: Translate) -> str:
    """Its backbone, and in brackets what it is trained with."""
    set_apart = {name for name in ("start", "teacher") if getattr(each.setup, name) != NONE}
    return label(each, {"imgsz", *set_apart}, _)


def waits_for(each: Unjudged, _: Translate) -> str:
    """Why a candidate is not judged."""
    if not each.missing:
        return shown(each.error)
    return _("its recipe is chosen once all of them are trained on equal terms; missing: {trials}").format(
        trials=_(", ").join(each.missing)
    )


def intervals(family: Family, _: Translate) -> str:
    """What the intervals against the baselines hold for."""
    shown_ones = sum(len(group.candidates) for group in family.groups)
    if family.counted in {1, shown_ones}:
        return _hold_together(family, family.confidence, family.counted, _)
    return _(
        "Each interval has a confidence of {each}, so that {together} holds together for all {count} candidates "
        "that have been measured on these images."
    ).format(each=percent(family.confidence), together=percent(family.comparison.confidence), count=family.counted)


def _hold_together(family: Family, confidence: float, count: int, _: Translate) -> str:
    """What the intervals of a table hold for."""
    if count == 1:
        return _("The interval has a confidence of {each}.").format(each=percent(confidence))
    return _(
        "Each interval has a confidence of {each}, so that {together} holds for all {count} of them together."
    ).format(each=percent(confidence), together=percent(family.comparison.confidence), count=count)


def pairs(family: Family, _: Translate) -> str:
    """What the intervals among candidates hold for, or why there are none; empty where there is nothing to compare."""
    if family.pairs:
        how = _("The first model minus the second one, where both have the same baseline.")
        return joined([how, _hold_together(family, family.pair_confidence, len(family.pairs), _)], _)
    if family.no_statistics:
        return _(
            "The candidates are not compared with each other, because the statistics of these trials are not at hand: "
            "{trials}."
        ).format(trials=_(", ").join(family.no_statistics))
    if family.count_pairs:
        return _(
            "The candidates are not compared with each other yet, because the study was stopped; the same command does "
            "it."
        )
    return ""


def rare_classes(family: Family, _: Translate) -> str:
    """Of which models the verdict is inconclusive because of classes with few boxes; empty if there are none."""
    comparisons = {member.trial: member.comparison for group in family.groups for member in group.members}
    parts = differing(family)
    decided = [
        label(model, parts, _)
        for model in family.models
        if model.trial and rare_classes_decide(comparisons[model.trial].guards, family.comparison.margin)
    ]
    if not decided:
        return ""
    classes = _(", ").join(shown(name) for name in family.comparison.guards.rare_classes)
    return _(
        "Undecided, because without classes of few test boxes ({classes}) the verdict would be another one: {models}."
    ).format(classes=classes, models=_(", ").join(decided))


def excluded(each: Excluded, _: Translate) -> str:
    """Why a trial is in no table."""
    return _("; ").join(_mismatch(mismatch, _) for mismatch in each.mismatches)


def _mismatch(mismatch: Mismatch, _: Translate) -> str:
    values = {"name": mismatch.term.name, "found": shown(mismatch.found), "expected": shown(mismatch.expected)}
    if mismatch.term.kind == "data":
        values |= {name: values[name][:_SHORTEST_DIGEST] for name in ("found", "expected")}
    message = {
        "data": _("of other data ({found}, not {expected})"),
        "split": _("measured on the split {found}, not on {expected}"),
        "images": _("measured on {found} images, not on {expected}"),
        "engine": _("trained with {name} {found}, not with {expected}"),
        "latency": _("timed on another machine ({name} {found}, not {expected})"),
    }[mismatch.term.kind]
    return message.format(**values)
