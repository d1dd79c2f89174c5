"""Two arms' results -> differences with intervals, costs, and a verdict. Pure: reads and writes no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import METRICS, History, LatencyRecord
from mobileyolo.core.results import ArmEvidence, ArmResult
from mobileyolo.verdict.bootstrap import Scenes
from mobileyolo.verdict.differences import Differences, Rule
from mobileyolo.verdict.equal_terms import check_terms
from mobileyolo.verdict.guards import guard, guarded_verdict
from mobileyolo.verdict.interval import MIN_DEGREES, Luck, curve_sd
from mobileyolo.verdict.latency_ratio import latency_ratio
from mobileyolo.verdict.maturity import maturity
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import (
    DECIDING_METRIC,
    ArmSummary,
    Comparison,
    CostRatio,
    SizeAP,
    Spread,
    TrainedTeacher,
)
from mobileyolo.verdict.sentences import joined, reason
from mobileyolo.verdict.settling import settling

SIZES = {  # of SizeAP, and the field of CocoAP that has it
    "all": "ap",
    "AP50": "ap50",
    "AP75": "ap75",
    "small": "ap_small",
    "medium": "ap_medium",
    "large": "ap_large",
}


@dataclass(frozen=True)
class Circumstances:
    """What a verdict needs to know beside the two arms.

    Attributes:
        scenes: number of the scene of each held-out image, 0, 1, 2 ..., shape (images,).
        train_images: number of training images.
        history: what the tracking store knows of the same data.
        latency: of both arms.
        caveats: sentences about the data, to be added to the verdict's.
        teacher: the model that was trained to teach, if there is one.
        tuned: was each arm trained by a recipe of its own, the best on val of as many as the other arm had?
    """

    scenes: Scenes
    train_images: int
    history: History
    latency: LatencyRecord
    caveats: Sequence[str] = ()
    teacher: ArmResult | None = None
    tuned: bool = False


def compare(
    baseline: ArmEvidence, candidate: ArmEvidence, circumstances: Circumstances, options: VerdictOptions
) -> Comparison:
    """Compare two arms that were trained and evaluated on equal terms.

    Args:
        baseline: with one result for each seed.
        candidate: with one for each of the same seeds.
        circumstances: what else matters.
        options: how sure a verdict has to be.

    Raises:
        ComparisonError: the terms differ, or a cost is 0; the message names the term and its values.
    """
    baseline, candidate = baseline.by_seed(), candidate.by_seed()
    check_terms(baseline, candidate, tuned=circumstances.tuned)
    terms = baseline.results[0]
    assumed, assumed_degrees, source = _assumed(options, circumstances)
    rule = Rule(options, circumstances.scenes, assumed, assumed_degrees)
    differences = Differences.of(baseline.results, candidate.results, rule)
    deciding, luck = differences.metrics[DECIDING_METRIC], differences.luck
    guards = guard(differences, rule, circumstances.history.candidates)
    images = len(terms.statistics.images)
    comparison = Comparison(
        verdict=guarded_verdict(guards, options.margin),
        provisional=luck.measured is None,
        reason="",
        baseline=_summary(baseline, differences.metrics["map50"].baseline, options.margin),
        candidate=_summary(candidate, differences.metrics["map50"].candidate, options.margin),
        teacher=_trained_teacher(circumstances.teacher),
        metrics=differences.metrics,
        deployed=differences.deployed,
        classes=differences.classes,
        sizes=_sizes(baseline.results, candidate.results),
        errors=differences.errors,
        costs=_costs(terms, candidate.results[0], circumstances.latency, options.confidence),
        spread=_spread(luck, assumed, source, circumstances),
        settling=settling(
            guards.corrected,
            rule.image_part(deciding, guards.corrected_confidence),
            luck,
            images,
            guards.corrected_confidence,
            options.margin,
        ),
        guards=guards,
        latency_threads=circumstances.latency.threads,
        latency_machine=circumstances.latency.machine,
        measured=circumstances.latency.measured,
        split=terms.statistics.split,
        images=images,
        epochs=len(baseline.histories[0]),
        seeds=tuple(result.training.seed for result in baseline.results),
        confidence=options.confidence,
        resamples=options.resamples,
        margin=options.margin,
        data_digest=terms.training.data_digest,
        recipe_digest=terms.training.recipe_digest,
    )
    return comparison.model_copy(update={"reason": joined([reason(comparison), *circumstances.caveats])})


def _assumed(options: VerdictOptions, circumstances: Circumstances) -> tuple[dict[str, float], int, str]:
    """The assumed standard deviation over seeds by METRICS, its degrees of freedom, and where it comes from."""
    if options.seed_sd != "auto":
        return dict.fromkeys(METRICS, options.seed_sd), MIN_DEGREES, "params.yaml"
    spread = circumstances.history.spread
    if spread is not None:
        return spread.metrics, spread.degrees, "earlier runs"
    return dict.fromkeys(METRICS, curve_sd(circumstances.train_images)), MIN_DEGREES, "curve"


def _spread(luck: Luck, assumed: Mapping[str, float], source: str, circumstances: Circumstances) -> Spread:
    measured = None if luck.measured is None else round(float(luck.measured[0]), 6)
    counts = luck.degrees > 2 * (luck.seeds - 1)
    history = circumstances.history.spread
    return Spread(
        sd=round(float(luck.sd[0]), 6),
        degrees=luck.degrees,
        measured=measured,
        assumed=round(assumed[DECIDING_METRIC], 6) if counts else None,
        source=source,  # type: ignore[arg-type]
        models=history.models if history and source == "earlier runs" else 0,
        train_images=circumstances.train_images,
    )


def _summary(arm: ArmEvidence, map50: float, margin: float) -> ArmSummary:
    results = arm.results
    best_epochs = tuple(result.training.best_epoch for result in results)
    return ArmSummary(
        backbone=results[0].training.backbone,
        width=results[0].training.width,
        start=results[0].training.start,
        teachers=tuple(result.training.teacher for result in results),
        weights_digests=tuple(result.training.weights_digest for result in results),
        best_epochs=best_epochs,
        map50_95=tuple(result.metrics.map50_95 for result in results),
        val_map50_95=round(float(np.mean([result.metrics.val_map50_95 for result in results])), 6),
        confidences=tuple(result.metrics.confidence for result in results),
        maturity=maturity(arm.histories, best_epochs, map50, margin),
        times=tuple(arm.times),
    )


def _trained_teacher(result: ArmResult | None) -> TrainedTeacher | None:
    if result is None:
        return None
    return TrainedTeacher(
        backbone=result.training.backbone,
        seed=result.training.seed,
        weights_digest=result.training.weights_digest,
        map50_95=result.metrics.map50_95,
        val_map50_95=result.metrics.val_map50_95,
    )


def _sizes(baseline: Sequence[ArmResult], candidate: Sequence[ArmResult]) -> tuple[SizeAP, ...]:
    return tuple(
        SizeAP(size=size, baseline=_mean(baseline, field), candidate=_mean(candidate, field))
        for size, field in SIZES.items()
    )


def _mean(results: Sequence[ArmResult], field: str) -> float | None:
    values = [getattr(result.metrics.coco, field) for result in results]
    return None if None in values else round(float(np.mean(values)), 6)


def _costs(
    baseline: ArmResult, candidate: ArmResult, latency: LatencyRecord, confidence: float
) -> dict[str, CostRatio]:
    """Every cost of both arms. One result of each is enough: all seeds of an arm share the architecture."""
    costs = {}
    for name in ("parameters", "gflops", "weights_mb"):
        before, after = _cost(baseline, name), _cost(candidate, name)
        costs[name] = CostRatio(baseline=before, candidate=after, ratio=round(after / before, 6))
    return costs | {name: latency_ratio(timing, confidence) for name, timing in latency.timings.items()}


def _cost(result: ArmResult, name: str) -> float:
    cost = float(getattr(result.metrics, name))
    if cost <= 0:
        raise ComparisonError(f"{name} of {result.label} is {cost}, but a model's cost is above 0")
    return cost
