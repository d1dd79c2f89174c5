"""The verdict in words, and what a reader has to know about it.

Every sentence goes through a translator `_` (gettext's convention), which gives the same message in another language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mobileyolo.core.backbones import is_imagenet
from mobileyolo.core.records import Start, ValidationVerdict
from mobileyolo.verdict.guards import NO_VERDICT_SCENES, RARE_BOXES, rare_classes_decide
from mobileyolo.verdict.latency_ratio import is_faster
from mobileyolo.verdict.maturity import NOT_LEARNT
from mobileyolo.verdict.records import DECIDING_METRIC, ArmSummary, Comparison
from mobileyolo.verdict.settling import MOST_IMAGES, MOST_SEEDS

Translator = Callable[[str], str]
QUOTED_LATENCY = "latency_ms"  # the one that a headline may claim


def english(message: str) -> str:
    """The translator of this code's own language."""
    return message


def names(comparison: Comparison, _: Translator = english) -> tuple[str, str]:
    """Names of baseline and candidate: their backbones, with the arm if both are the same."""
    baseline, candidate = comparison.baseline.backbone, comparison.candidate.backbone
    if baseline == candidate:
        return _("{name} (baseline)").format(name=baseline), _("{name} (candidate)").format(name=candidate)
    return baseline, candidate


def question(comparison: Comparison, _: Translator = english) -> str:
    """The question that the comparison answers."""
    baseline, candidate = names(comparison, _)
    width = comparison.candidate.width
    if width is None:
        return _("Is {candidate} a better backbone than {baseline} for YOLO11 on this data?").format(
            candidate=candidate, baseline=baseline
        )
    return _(
        "Is {candidate}, MobileNetV1 at width {width}, a better backbone than {baseline} for YOLO11 on this data?"
    ).format(candidate=candidate, width=f"{width:g}", baseline=baseline)


def is_tentative(comparison: Comparison) -> bool:
    """Is the verdict shown in grey, because a model had not stopped learning, or because there are too few scenes?"""
    return comparison.guards.few_scenes == "no verdict" or any(
        arm.maturity != "learnt" for arm in (comparison.baseline, comparison.candidate)
    )


def headline(comparison: Comparison, _: Translator = english) -> str:
    """The answer in a few words; with what it depends on, where it is tentative."""
    if comparison.guards.few_scenes == "no verdict":
        return _("No verdict: {scenes} independent test scenes are too few.").format(scenes=comparison.guards.scenes)
    answer = _answer(comparison, _)
    if not is_tentative(comparison):
        return answer
    return _("{answer}, after {epochs} epochs.").format(answer=answer.rstrip(".。"), epochs=comparison.epochs)


def _answer(comparison: Comparison, _: Translator) -> str:
    baseline, candidate = names(comparison, _)
    values = {
        "baseline": baseline,
        "candidate": candidate,
        "lead": f"{abs(comparison.metrics[DECIDING_METRIC].delta):.3f}",
        "margin": f"{comparison.margin:g}",
        "times": f"{comparison.costs[QUOTED_LATENCY].ratio:.2f}",
    }
    cheaper = is_faster(comparison.costs[QUOTED_LATENCY])
    if cheaper and comparison.verdict in ("better", "equivalent", "no worse"):
        message = {
            "better": _("Yes: {candidate} gains {lead} mAP50-95 over {baseline}, at {times} times the latency."),
            "equivalent": _("As good within {margin}, at {times} times the latency: {candidate} and {baseline}."),
            "no worse": _("No worse within {margin}, at {times} times the latency: {candidate} than {baseline}."),
        }[comparison.verdict]
    else:
        message = {
            "better": _("Yes: {candidate} gains {lead} mAP50-95 over {baseline}."),
            "worse": _("No: {candidate} loses {lead} mAP50-95 to {baseline}."),
            "equivalent": _("As good within {margin}: {candidate} and {baseline}."),
            "no worse": _("{candidate} is no worse than {baseline} within {margin}; better is not shown."),
            "no better": _("{candidate} is no better than {baseline} beyond {margin}; worse is not shown."),
            "inconclusive": _("Undecided: neither {candidate} nor {baseline} is shown to be better."),
        }[comparison.verdict]
    return message.format(**values)


def reason(comparison: Comparison, _: Translator = english) -> str:
    """The verdict in a sentence, then a sentence for each thing that qualifies it."""
    said = [
        _verdict(comparison, _),
        *_guards(comparison, _),
        *_maturity(comparison, _),
        *_assumption(comparison, _),
        *starts_and_teachers(comparison, _),
        *_split(comparison, _),
    ]
    return joined(said, _)


def joined(sentences: Iterable[str], _: Translator = english) -> str:
    """Sentences one after the other; Chinese ones without a space between them."""
    return _("{sentence} {next_sentence}").format(sentence="", next_sentence="").join(sentences)


def caveats(validation: ValidationVerdict, _: Translator = english) -> list[str]:
    """Sentences on faults of the dataset that were tolerated and make every metric on it less reliable."""
    shared = validation.findings.get("image_in_two_splits")
    if shared is None:
        return []
    return [
        _(
            "{count} of {images} images are in two splits, as validate.tolerance allows: the models may have been "
            "trained on images that they are tested on."
        ).format(count=shared.count, images=shared.rows)
    ]


def _verdict(comparison: Comparison, _: Translator) -> str:
    baseline, candidate = names(comparison, _)
    metric = comparison.metrics[DECIDING_METRIC]
    seeds = len(comparison.seeds)
    training = _("one seed") if seeds == 1 else _("means over {seeds} seeds").format(seeds=seeds)
    claim = {
        "better": _("{candidate} is better than {baseline}: the whole interval lies above the margin of {margin}."),
        "worse": _("{candidate} is worse than {baseline}: the whole interval lies below the margin of -{margin}."),
        "equivalent": _("{candidate} is as good as {baseline}: the whole interval lies within ±{margin}."),
        "no worse": _("{candidate} is no worse than {baseline}: the whole interval lies above -{margin}."),
        "no better": _("{candidate} is no better than {baseline}: the whole interval lies below {margin}."),
        "inconclusive": _("This evidence does not decide between {candidate} and {baseline}."),
    }[comparison.verdict].format(candidate=candidate, baseline=baseline, margin=f"{comparison.margin:g}")
    numbers = _(
        "{candidate_value} against {baseline_value} mAP50-95 on {images} {split} images ({training}); the difference "
        "is {delta}, its {confidence} interval {low} to {high}."
    ).format(
        candidate_value=f"{metric.candidate:.3f}",
        baseline_value=f"{metric.baseline:.3f}",
        images=comparison.images,
        split=comparison.split,
        training=training,
        delta=f"{metric.delta:+.3f}",
        confidence=f"{comparison.confidence:.0%}",
        low=f"{metric.low:+.3f}",
        high=f"{metric.high:+.3f}",
    )
    return joined([claim, numbers], _)


def _guards(comparison: Comparison, _: Translator) -> Iterator[str]:
    guards = comparison.guards
    if guards.scenes < comparison.images:
        yield _("Images of one scene are tied together, so that {images} images count as {scenes}.").format(
            images=comparison.images, scenes=guards.scenes
        )
    if guards.few_scenes == "no verdict":
        yield _("With {scenes} scenes no verdict is given.").format(scenes=guards.scenes)
    elif guards.few_scenes == "caveat":
        yield _("{scenes} scenes are few: other ones may well say something else.").format(scenes=guards.scenes)
    if guards.without_rare is not None:
        classes = _(", ").join(guards.rare_classes)
        told = _("Classes with fewer than {count} test boxes: {classes}.").format(count=RARE_BOXES, classes=classes)
        if not rare_classes_decide(guards, comparison.margin):
            yield joined([told, _("Without them the verdict is the same.")], _)
        else:
            verdict = _(guards.without_rare)
            undecided = _("Without them the interval would say {verdict}, so nothing is decided.")
            yield joined([told, undecided.format(verdict=verdict)], _)
    elif guards.rare_classes:
        yield _("Every class has fewer than {count} test boxes.").format(count=RARE_BOXES)
    if guards.candidates > 1:
        yield _(
            "{candidates} candidates have been measured on these images; at the {confidence} that holds for all of "
            "them together, which decides, the interval is {low} to {high}."
        ).format(
            candidates=guards.candidates,
            confidence=f"{guards.corrected_confidence:.1%}",
            low=f"{guards.corrected.low:+.3f}",
            high=f"{guards.corrected.high:+.3f}",
        )


def _maturity(comparison: Comparison, _: Translator) -> Iterator[str]:
    arms = tuple(zip(names(comparison, _), (comparison.baseline, comparison.candidate), strict=True))
    untrained = [name for name, arm in arms if arm.maturity == "untrained"]
    rising = [name for name, arm in arms if arm.maturity == "rising"]
    and_ = _(" and ")
    if untrained:
        yield _(
            "Hardly anything was learnt by {models} (mAP50 under {limit}): train longer, and look at the training "
            "curves and at the findings of validation."
        ).format(models=and_.join(untrained), limit=f"{NOT_LEARNT:g}")
    if rising:
        yield _("Still rising when training ended: {models}; this is the state after {epochs} epochs.").format(
            models=and_.join(rising), epochs=comparison.epochs
        )


def _assumption(comparison: Comparison, _: Translator) -> Iterator[str]:
    spread = comparison.spread
    if spread.assumed is None:
        return
    source = {
        "params.yaml": _("set in params.yaml"),
        "earlier runs": _("measured on {models} earlier models of this data and recipe").format(models=spread.models),
        "curve": _("usual for {images} training images").format(images=spread.train_images),
    }[spread.source]
    values = {"sd": f"{spread.assumed:.3g}", "source": source}
    if comparison.provisional:
        yield _(
            "Provisional: one seed can't show the luck of training; a standard deviation of {sd} is assumed for each "
            "model, {source}."
        ).format(**values)
    else:
        yield _(
            "Two seeds show little of the luck of training; a standard deviation of {sd} counts too, {source}."
        ).format(**values)


def certainty(comparison: Comparison, _: Translator = english) -> str:
    """How sure the difference is: both parts of its interval, and which of them is larger."""
    metric = comparison.metrics[DECIDING_METRIC]
    larger = {
        "images": _("the choice of test images matters more"),
        "luck": _("the luck of training matters more"),
    }[comparison.settling.larger]
    return _("Difference {delta}: test images ± {images}, luck of training ± {luck}; {larger}.").format(
        delta=f"{metric.delta:+.3f}",
        images=f"{max(metric.images_below, metric.images_above):.3f}",
        luck=f"{metric.luck:.3f}",
        larger=larger,
    )


def settling(comparison: Comparison, _: Translator = english) -> str:
    """What would settle the verdict, or by which margin it would be settled already."""
    needed = comparison.settling
    if comparison.guards.few_scenes == "no verdict":
        return _("A verdict needs at least {scenes} independent test scenes.").format(scenes=NO_VERDICT_SCENES)
    if rare_classes_decide(comparison.guards, comparison.margin):
        classes = _(", ").join(comparison.guards.rare_classes)
        return _("A verdict needs more test boxes of: {classes}.").format(classes=classes)
    if needed.settled:
        return _("For these models this is settled: more seeds or images would only make the interval narrower.")
    split = comparison.split
    ways = []
    if needed.seeds is not None:
        ways.append(_("{seeds} seeds with these {split} images").format(seeds=needed.seeds, split=split))
    if needed.images is not None:
        ways.append(_("{images} {split} images with these seeds").format(images=f"{needed.images:,}", split=split))
    if not ways and needed.seeds_with_images is not None and needed.images_with_seeds is not None:
        ways.append(
            _("{seeds} seeds and {images} {split} images together").format(
                seeds=needed.seeds_with_images, images=f"{needed.images_with_seeds:,}", split=split
            )
        )
    if ways:
        told = _("If the difference stays as it is, this would settle it: {ways}.").format(ways=_(" or ").join(ways))
    else:
        told = _(
            "The difference is so close to the margin that neither {seeds} seeds nor {images} images would settle it."
        ).format(seeds=MOST_SEEDS, images=f"{MOST_IMAGES:,}")
    margins = _("With a margin of {equivalent} this run would say equivalent, with {no_worse} no worse.").format(
        equivalent=f"{needed.equivalent_margin:.3f}", no_worse=f"{needed.no_worse_margin:.3f}"
    )
    return joined([told, margins], _)


def starts_and_teachers(comparison: Comparison, _: Translator = english) -> Iterator[str]:
    """Sentences on what may differ between the arms beside the backbone, and is not refused."""
    baseline, candidate = comparison.baseline, comparison.candidate
    baseline_name, candidate_name = names(comparison, _)
    if _start_alike(baseline.start, candidate.start):
        yield from _backbones_start(baseline.start, candidate.start, _)
    else:
        yield _(
            "Not only the backbone differs: {candidate} starts from {candidate_start}, {baseline} from "
            "{baseline_start}."
        ).format(
            candidate=candidate_name,
            candidate_start=_start(candidate, _),
            baseline=baseline_name,
            baseline_start=_start(baseline, _),
        )
    who, other = (teacher(comparison, arm, _) for arm in (candidate, baseline))
    if who != other:
        yield _("Not only the backbone differs: {candidate} was taught by {who}, {baseline} by {other}.").format(
            candidate=candidate_name, who=who, baseline=baseline_name, other=other
        )
    elif any(each.digest for each in candidate.teachers):
        yield _("Both models were taught by {teacher}.").format(teacher=who)


def only_backbone_differs(comparison: Comparison) -> bool:
    """Do both arms start from weights of the same kind, and have the same teacher?"""
    baseline, candidate = comparison.baseline, comparison.candidate
    alike = _start_alike(baseline.start, candidate.start)
    return alike and teacher(comparison, baseline) == teacher(comparison, candidate)


def _start_alike(baseline: Start, candidate: Start) -> bool:
    """Do both start from weights of the same kind?

    Which share of a model its backbone is depends on the backbone. A detector alone gives a stock arm its backbone too,
    and MobileNetV1 the neck and head only.
    """
    if baseline.sources.keys() != candidate.sources.keys():
        return False
    return "backbone" in baseline.sources or baseline.share == candidate.share


def _backbones_start(baseline: Start, candidate: Start, _: Translator) -> Iterator[str]:
    files = dict.fromkeys(
        start.sources["backbone"].name for start in (baseline, candidate) if "backbone" in start.sources
    )
    if files:
        said = (
            _("Both backbones start from ImageNet weights ({files}).")
            if all(map(is_imagenet, files))
            else _("Both backbones start from pretrained weights ({files}).")
        )
        yield said.format(files=_(", ").join(files))


def _start(arm: ArmSummary, _: Translator) -> str:
    start = arm.start
    if not start.sources:
        return _("random weights")
    sources = _(", ").join(source.name for source in start.sources.values())
    return _("{sources} ({share} of its values are pretrained)").format(sources=sources, share=f"{start.share:.0%}")


def teacher(comparison: Comparison, arm: ArmSummary, _: Translator = english) -> str:
    """Who taught an arm, and how good a teacher is that was trained for it."""
    trained = comparison.teacher
    named: dict[str, None] = {}
    for each in arm.teachers:
        if trained is not None and each.digest == trained.weights_digest:
            on_val = _("mAP50-95 {value} on {split}").format(value=f"{trained.val_map50_95:.3f}", split="val")
            held_out = _("{value} on {split}").format(value=f"{trained.map50_95:.3f}", split=comparison.split)
            measured = [on_val, *([held_out] if comparison.split != "val" else [])]
            named[_("{name} ({measured})").format(name=each.name, measured=_(", ").join(measured))] = None
        elif each.digest:
            named[each.name] = None
    return _(", ").join(named) or _("nobody")


def _split(comparison: Comparison, _: Translator) -> Iterator[str]:
    if comparison.split == "val":
        yield _("The checkpoints were chosen on these same images, so the metrics of both models are too optimistic.")


def cost(comparison: Comparison, _: Translator = english) -> str:
    """The candidate's cost in proportion to the baseline's; of the latency only what may be claimed."""
    baseline, candidate = names(comparison, _)
    ratios = {name: f"{each.ratio:.2f}" for name, each in comparison.costs.items()}
    latency = comparison.costs[QUOTED_LATENCY]
    if latency.busy or latency.low is None or latency.high is None:
        timed = _("its latency is not known, because the machine was busy or the rounds were few")
    else:
        timed = _("{ratio} times the latency ({low} to {high})").format(
            ratio=f"{latency.ratio:.2f}", low=f"{latency.low:.2f}", high=f"{latency.high:.2f}"
        )
    return _(
        "{candidate} has {parameters} times the parameters of {baseline}, {gflops} times the GFLOPs, {timed}."
    ).format(
        candidate=candidate, baseline=baseline, parameters=ratios["parameters"], gflops=ratios["gflops"], timed=timed
    )
