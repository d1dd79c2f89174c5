"""Two arms' results -> differences with intervals, and a verdict. Pure: reads and writes no files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import METRICS, EngineLatency, LatencyRecord
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.bootstrap import differences, paired_bootstrap, seed_half_width
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.options import VerdictOptions
from mobileyolo.verdict.records import ArmSummary, Comparison, CostRatio, MetricDelta
from mobileyolo.verdict.sorting import Array

DECIDING_METRIC = "map50_95"  # the comparison's verdict is this metric's
NOT_LEARNT = 0.05  # mAP50 below which a model is still at its start


def compare(
    baseline: Sequence[ArmResult],
    candidate: Sequence[ArmResult],
    latency: LatencyRecord,
    options: VerdictOptions,
    caveats: Sequence[str] = (),
) -> Comparison:
    """Compare two arms that were trained and evaluated on equal terms.

    Args:
        baseline: one result for each seed.
        candidate: one result for each of the same seeds.
        latency: of both arms, in each engine.
        options: how sure a verdict has to be.
        caveats: sentences about the data that have to stand beside the verdict.

    Raises:
        ComparisonError: the terms differ; the message names the term and both values.
    """
    baseline, candidate = _by_seed(baseline), _by_seed(candidate)
    _check_terms(baseline, candidate)
    baseline_metrics = [WeightedMetrics(result.statistics) for result in baseline]
    candidate_metrics = [WeightedMetrics(result.statistics) for result in candidate]
    low, high = _interval(baseline_metrics, candidate_metrics, options)
    ours, theirs = _mean(baseline_metrics), _mean(candidate_metrics)
    metrics = {
        name: _delta(ours[index], theirs[index], low[index], high[index], options.margin)
        for index, name in enumerate(METRICS)
    }
    terms = baseline[0]
    comparison = Comparison(
        verdict=metrics[DECIDING_METRIC].verdict,
        reason="",
        baseline=_summary(baseline),
        candidate=_summary(candidate),
        metrics=metrics,
        costs=_costs(baseline, candidate, latency),
        timing=_timing(latency),
        split=terms.statistics.split,
        images=len(terms.statistics.images),
        seeds=tuple(result.training.seed for result in baseline),
        confidence=options.confidence,
        resamples=options.resamples,
        seed_sd=options.seed_sd,
        margin=options.margin,
        data_digest=terms.training.data_digest,
        recipe_digest=terms.training.recipe_digest,
    )
    return comparison.model_copy(update={"reason": " ".join([_reason(comparison), *caveats])})


def _by_seed(results: Sequence[ArmResult]) -> list[ArmResult]:
    return sorted(results, key=lambda result: result.training.seed)


def _check_terms(baseline: Sequence[ArmResult], candidate: Sequence[ArmResult]) -> None:
    """Raise unless all results, of both arms and all seeds, differ in nothing but the arm and the seed."""
    seeds = [[result.training.seed for result in arm] for arm in (baseline, candidate)]
    if seeds[0] != seeds[1] or not seeds[0]:
        raise ComparisonError(
            f"seeds differ: baseline has {seeds[0]}, candidate has {seeds[1]}; train both arms on the same seeds"
        )
    first = baseline[0]
    for other in chain(baseline[1:], candidate):
        for term, ours, theirs in _terms(first, other):
            if ours != theirs:
                raise ComparisonError(
                    f"{term} differs: {ours!r} for {first.label}, {theirs!r} for {other.label}; "
                    "train and evaluate both arms again on the same terms"
                )
        expected, images = first.statistics.images["image"].tolist(), other.statistics.images["image"].tolist()
        if images != expected:
            raise ComparisonError(
                f"images differ: {len(expected)} for {first.label}, {len(images)} for {other.label}, the first that "
                f"only one has is {min(set(images) ^ set(expected), default=None)!r}; evaluate both arms again"
            )


def _terms(first: ArmResult, other: ArmResult) -> Iterator[tuple[str, str, str]]:
    yield "recipe_digest", first.training.recipe_digest, other.training.recipe_digest
    yield "data_digest", first.training.data_digest, other.training.data_digest
    yield "split", first.statistics.split, other.statistics.split
    for key in sorted(first.statistics.measured.keys() | other.statistics.measured.keys()):
        yield f"evaluation {key}", str(first.statistics.measured.get(key)), str(other.statistics.measured.get(key))


def _interval(
    baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], options: VerdictOptions
) -> tuple[Array, Array]:
    """Ends of each lead's interval, shape (4,): the choice of images and the luck of training, added in quadrature."""
    by_seed = differences(baseline, candidate, np.ones(baseline[0].images))
    draws = paired_bootstrap(baseline, candidate, options.resamples, options.seed)
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    luck, lead = seed_half_width(by_seed, options.confidence, options.seed_sd), by_seed.mean(0)
    return lead - np.hypot(np.maximum(lead - low, 0), luck), lead + np.hypot(np.maximum(high - lead, 0), luck)


def _mean(models: Sequence[WeightedMetrics]) -> Array:
    """Metrics on the images as they are, mean over the seeds; shape (4,)."""
    mean: Array = np.mean([model(np.ones(model.images)) for model in models], axis=0)
    return mean


def _delta(baseline: float, candidate: float, low: float, high: float, margin: float) -> MetricDelta:
    """One metric's record, to six digits: further ones depend on the processor's order of summation."""
    low, high = round(float(low), 6), round(float(high), 6)
    return MetricDelta(
        baseline=round(float(baseline), 6),
        candidate=round(float(candidate), 6),
        delta=round(float(candidate - baseline), 6),
        low=low,
        high=high,
        verdict="better" if low > margin else "worse" if high < -margin else "inconclusive",
    )


def _summary(results: Sequence[ArmResult]) -> ArmSummary:
    return ArmSummary(
        backbone=results[0].training.backbone,
        width=results[0].training.width,
        start=results[0].training.start,
        teachers=tuple(result.training.teacher for result in results),
        weights_digests=tuple(result.training.weights_digest for result in results),
        best_epochs=tuple(result.training.best_epoch for result in results),
    )


def _costs(
    baseline: Sequence[ArmResult], candidate: Sequence[ArmResult], latency: LatencyRecord
) -> dict[str, CostRatio]:
    """Costs of both arms; all seeds of an arm share the architecture, and with it the cost."""
    ours, theirs = baseline[0].metrics, candidate[0].metrics
    costs = {}
    for name in ("parameters", "gflops", "weights_mb"):
        before, after = float(getattr(ours, name)), float(getattr(theirs, name))
        if before <= 0:
            raise ComparisonError(f"{name} of {baseline[0].label} is {before}, but a model's cost is above 0")
        costs[name] = CostRatio(baseline=before, candidate=after, ratio=round(after / before, 6))
    return costs | {name: _latency_ratio(timed) for name, timed in latency.engines.items()}


def _latency_ratio(timed: EngineLatency) -> CostRatio:
    """Medians, and the ratio with its quartiles."""
    rounds = {arm: np.asarray(values) for arm, values in timed.rounds_ms.items()}
    # The arms took turns, so a ratio within a round is free of what slowed the machine down in both.
    low, middle, high = np.quantile(rounds["candidate"] / rounds["baseline"], [0.25, 0.5, 0.75]).round(6).tolist()
    return CostRatio(
        baseline=round(float(np.median(rounds["baseline"])), 6),
        candidate=round(float(np.median(rounds["candidate"])), 6),
        ratio=middle,
        low=low,
        high=high,
    )


def _timing(latency: LatencyRecord) -> str:
    """What the latencies were measured with."""
    threads = f"{latency.threads} thread{'s' * (latency.threads > 1)}"
    engines = " and ".join(timed.engine for timed in latency.engines.values())
    return f"{engines}; {threads}, one image of {latency.imgsz} x {latency.imgsz} pixels, {latency.machine}"


def _reason(comparison: Comparison) -> str:
    """The verdict in a sentence, and what the interval leaves out in one more each."""
    ours, theirs = comparison.candidate.backbone, comparison.baseline.backbone
    if ours == theirs:
        ours, theirs = f"{ours} (candidate)", f"{theirs} (baseline)"
    lead, margin = comparison.metrics[DECIDING_METRIC], comparison.margin
    inside = -margin <= lead.low and lead.high <= margin
    claim, place = {
        "better": (f"{ours} is better than {theirs}", f"lies above the margin of +{margin:.3f}"),
        "worse": (f"{ours} is worse than {theirs}", f"lies below the margin of -{margin:.3f}"),
        "inconclusive": (
            f"Neither {ours} nor {theirs} is shown to be better",
            f"{'lies inside' if inside else 'reaches into'} the margin from -{margin:.3f} to +{margin:.3f}",
        ),
    }[comparison.verdict]
    seeds = len(comparison.seeds)
    sentences = [
        f"{claim}: {lead.candidate:.3f} against {lead.baseline:.3f} mAP50-95 on {comparison.images} "
        f"{comparison.split} images{f', means over {seeds} seeds' if seeds > 1 else ' with one seed'}; the difference "
        f"of {lead.delta:+.3f} has a {comparison.confidence:.0%} interval from {lead.low:+.3f} to {lead.high:+.3f}, "
        f"which {place}."
    ]
    if seeds == 1:
        sentences.append(
            f"With one seed, the luck of training is not measured but assumed: a standard deviation of "
            f"{comparison.seed_sd:g} for each model."
        )
    found = comparison.metrics["map50"]
    idle = [name for name, value in ((theirs, found.baseline), (ours, found.candidate)) if value < NOT_LEARNT]
    if idle:
        sentences.append(
            f"{' and '.join(idle)} {'has' if len(idle) == 1 else 'have'} not learnt to find the objects yet (mAP50 "
            f"below {NOT_LEARNT:g}), so this says little: train longer, and look at the training curves and at what "
            "validation found."
        )
    sentences += _unequal_terms(comparison, theirs, ours)
    if comparison.split == "val":
        sentences.append("The checkpoints were chosen on these images, which flatters both models.")
    return " ".join(sentences)


def _unequal_terms(comparison: Comparison, baseline: str, candidate: str) -> list[str]:
    """Sentences on what one arm was given and the other was not."""
    sentences = []
    starts = comparison.baseline.start, comparison.candidate.start
    if starts[0].share != starts[1].share:
        sentences.append(f"The arms did not start equal: {baseline} with {starts[0]}, {candidate} with {starts[1]}.")
    teachers = [
        "by " + " and ".join(dict.fromkeys(teacher.name for teacher in arm.teachers if teacher.digest))
        if any(teacher.digest for teacher in arm.teachers)
        else "by nobody"
        for arm in (comparison.baseline, comparison.candidate)
    ]
    if teachers[0] != teachers[1]:
        sentences.append(f"The arms were not taught equally: {candidate} {teachers[1]}, {baseline} {teachers[0]}.")
    return sentences
