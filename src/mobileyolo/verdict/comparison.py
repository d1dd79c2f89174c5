"""Two arms' results -> differences with intervals, costs, and a verdict. Pure: reads and writes no files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import METRICS, EngineLatency, LatencyRecord
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.bootstrap import differences, paired_bootstrap, seed_half_width
from mobileyolo.verdict.equal_terms import check_terms
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import DECIDING_METRIC, ArmSummary, Comparison, CostRatio, MetricDelta
from mobileyolo.verdict.sentences import reason
from mobileyolo.verdict.sorted_predictions import FloatArray


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
        caveats: sentences about the data, to be added to the verdict's.

    Raises:
        ComparisonError: the terms differ, or a cost is 0; the message names the term and its values.
    """
    baseline, candidate = _by_seed(baseline), _by_seed(candidate)
    check_terms(baseline, candidate)
    metrics = _metrics(baseline, candidate, options)
    terms = baseline[0]
    comparison = Comparison(
        verdict=metrics[DECIDING_METRIC].verdict,
        reason="",
        baseline=_summary(baseline),
        candidate=_summary(candidate),
        metrics=metrics,
        costs=_costs(baseline[0], candidate[0], latency),
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
    return comparison.model_copy(update={"reason": " ".join([reason(comparison), *caveats])})


def _by_seed(results: Sequence[ArmResult]) -> list[ArmResult]:
    return sorted(results, key=lambda result: result.training.seed)


def _metrics(
    baseline: Sequence[ArmResult], candidate: Sequence[ArmResult], options: VerdictOptions
) -> dict[str, MetricDelta]:
    """Every metric of both arms, by METRICS."""
    baseline_models = [WeightedMetrics(result.statistics) for result in baseline]
    candidate_models = [WeightedMetrics(result.statistics) for result in candidate]
    low, high = _interval(baseline_models, candidate_models, options)
    baseline_means, candidate_means = _mean(baseline_models), _mean(candidate_models)
    return {
        name: _delta(baseline_means[index], candidate_means[index], low[index], high[index], options.margin)
        for index, name in enumerate(METRICS)
    }


def _interval(
    baseline: Sequence[WeightedMetrics], candidate: Sequence[WeightedMetrics], options: VerdictOptions
) -> tuple[FloatArray, FloatArray]:
    """Ends of the interval of each difference, shape (4,) each.

    It has two parts: the choice of images and the variation between seeds. Their half-widths are added in quadrature.
    """
    by_seed = differences(baseline, candidate, np.ones(baseline[0].images))
    draws = paired_bootstrap(baseline, candidate, options.resamples, options.seed)
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    mean = by_seed.mean(0)
    half_width_of_seeds = seed_half_width(by_seed, options.confidence, options.seed_sd)
    below = np.hypot(np.maximum(mean - low, 0), half_width_of_seeds)
    above = np.hypot(np.maximum(high - mean, 0), half_width_of_seeds)
    return mean - below, mean + above


def _mean(models: Sequence[WeightedMetrics]) -> FloatArray:
    """Metrics with each image once, mean over the seeds; shape (4,)."""
    mean: FloatArray = np.mean([model(np.ones(model.images)) for model in models], axis=0)
    return mean


def _delta(baseline: float, candidate: float, low: float, high: float, margin: float) -> MetricDelta:
    """One metric's record, rounded to six digits: further ones differ between processors."""
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


def _costs(baseline: ArmResult, candidate: ArmResult, latency: LatencyRecord) -> dict[str, CostRatio]:
    """Every cost of both arms. One result of each is enough: all seeds of an arm share the architecture."""
    costs = {}
    for name in ("parameters", "gflops", "weights_mb"):
        before, after = _cost(baseline, name), _cost(candidate, name)
        costs[name] = CostRatio(baseline=before, candidate=after, ratio=round(after / before, 6))
    return costs | {name: _latency_ratio(timed) for name, timed in latency.engines.items()}


def _cost(result: ArmResult, name: str) -> float:
    cost = float(getattr(result.metrics, name))
    if cost <= 0:
        raise ComparisonError(f"{name} of {result.label} is {cost}, but a model's cost is above 0")
    return cost


def _latency_ratio(timed: EngineLatency) -> CostRatio:
    """Medians of both arms, and the median and quartiles of the ratio."""
    rounds = {arm: np.asarray(values) for arm, values in timed.rounds_ms.items()}
    # The arms took turns. What slows the machine down in one round slows both, and cancels out in that round's ratio.
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
