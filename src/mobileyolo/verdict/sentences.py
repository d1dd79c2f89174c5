"""The verdict in words, and what a reader has to know about it."""

from __future__ import annotations

from collections.abc import Iterator

from mobileyolo.core.records import ValidationVerdict
from mobileyolo.verdict.records import DECIDING_METRIC, ArmSummary, Comparison

NOT_LEARNT = 0.05  # mAP50; a model below it has learnt hardly anything


def reason(comparison: Comparison) -> str:
    """The verdict in a sentence, then a sentence for each thing that its interval does not cover."""
    baseline, candidate = comparison.baseline.backbone, comparison.candidate.backbone
    if baseline == candidate:
        baseline, candidate = f"{baseline} (baseline)", f"{candidate} (candidate)"
    sentences = [
        _verdict(comparison, baseline, candidate),
        *_assumption(comparison),
        *_not_learnt(comparison, baseline, candidate),
        *_unequal_starts(comparison, baseline, candidate),
        *_unequal_teachers(comparison, baseline, candidate),
        *_split(comparison),
    ]
    return " ".join(sentences)


def caveats(validation: ValidationVerdict) -> list[str]:
    """Sentences on faults of the dataset that were tolerated and make every metric on it less reliable."""
    shared = validation.findings.get("image_in_two_splits")
    if shared is None:
        return []
    return [
        f"{shared.count} of {shared.rows} images are in two splits, as validate.tolerance allows: the models may have "
        "been trained on images that they are tested on."
    ]


def _verdict(comparison: Comparison, baseline: str, candidate: str) -> str:
    metric, margin = comparison.metrics[DECIDING_METRIC], comparison.margin
    inside = -margin <= metric.low and metric.high <= margin
    claim, place = {
        "better": (f"{candidate} is better than {baseline}", f"lies above the margin of +{margin:.3f}"),
        "worse": (f"{candidate} is worse than {baseline}", f"lies below the margin of -{margin:.3f}"),
        "inconclusive": (
            f"Neither {candidate} nor {baseline} is shown to be better",
            f"{'lies inside' if inside else 'overlaps'} the margin from -{margin:.3f} to +{margin:.3f}",
        ),
    }[comparison.verdict]
    seeds = len(comparison.seeds)
    return (
        f"{claim}: {metric.candidate:.3f} against {metric.baseline:.3f} mAP50-95 on {comparison.images} "
        f"{comparison.split} images{f' (means over {seeds} seeds)' if seeds > 1 else ' with one seed'}. The difference "
        f"of {metric.delta:+.3f} has a {comparison.confidence:.0%} interval from {metric.low:+.3f} to "
        f"{metric.high:+.3f}, which {place}."
    )


def _assumption(comparison: Comparison) -> Iterator[str]:
    if len(comparison.seeds) == 1:
        yield (
            "One seed can't show how much results vary between seeds; the interval assumes a standard deviation of "
            f"{comparison.seed_sd:g} for each model."
        )


def _not_learnt(comparison: Comparison, baseline: str, candidate: str) -> Iterator[str]:
    map50 = comparison.metrics["map50"]
    models = [name for name, value in ((baseline, map50.baseline), (candidate, map50.candidate)) if value < NOT_LEARNT]
    if models:
        yield (
            f"{' and '.join(models)} {'has' if len(models) == 1 else 'have'} learnt hardly anything yet (mAP50 below "
            f"{NOT_LEARNT:g}), so this comparison says little: train longer, and look at the training curves and at "
            "the findings of validation."
        )


def _unequal_starts(comparison: Comparison, baseline: str, candidate: str) -> Iterator[str]:
    baseline_start, candidate_start = comparison.baseline.start, comparison.candidate.start
    if baseline_start.share != candidate_start.share:
        yield f"The starting weights differ: {baseline} has {baseline_start}; {candidate} has {candidate_start}."


def _unequal_teachers(comparison: Comparison, baseline: str, candidate: str) -> Iterator[str]:
    baseline_teacher, candidate_teacher = _teacher(comparison.baseline), _teacher(comparison.candidate)
    if baseline_teacher != candidate_teacher:
        yield f"The teachers differ: {baseline} {baseline_teacher}; {candidate} {candidate_teacher}."


def _teacher(arm: ArmSummary) -> str:
    names = dict.fromkeys(teacher.name for teacher in arm.teachers if teacher.digest)
    return f"was taught by {' and '.join(names)}" if names else "had no teacher"


def _split(comparison: Comparison) -> Iterator[str]:
    if comparison.split == "val":
        yield "The checkpoints were chosen on these same images, so the metrics of both models are too optimistic."
