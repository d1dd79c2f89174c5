"""Comparable trials -> a row for each distinct model, in groups on equal terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from mobileyolo.core.backbones import Arm, width_of
from mobileyolo.core.files import NONE
from mobileyolo.family.members import Choice, Member, Setup
from mobileyolo.verdict.guards import rare_classes_decide
from mobileyolo.verdict.interval import Luck, at_confidence, verdict_of
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison, Interval, Maturity, MetricDelta, Verdict

LATENCIES = ("latency_ms", "latency_onnx_ms")  # PyTorch, ONNX Runtime; milliseconds an image
COSTS = (*LATENCIES, "gflops", "parameters", "weights_mb")


@dataclass(frozen=True)
class Cost:
    """One cost of a model.

    Attributes:
        value: in the unit of its name.
        ratio: to the baseline's of equal terms; None for the baseline.
        low: end of the ratio's interval; None where there is none. Only latencies have one.
        high: likewise.
        busy: was the machine busy when it was measured?
    """

    value: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    busy: bool = False


@dataclass(frozen=True)
class Lead:
    """How far a model is ahead of another one in mAP50-95, with an interval that holds for all of its kind together."""

    interval: Interval
    verdict: Verdict


@dataclass(frozen=True)
class Model:
    """A row.

    Attributes:
        number: counted from 1.
        trial: its name; "" for a baseline.
        backbone: its name.
        width: MobileNetV1's width multiplier alpha; None for a stock backbone.
        setup: what it was trained with.
        map50_95: mean over the seeds.
        by_seed: mAP50-95 of each seed.
        maturity: had it stopped learning when its training ended?
        lead: over the baseline of equal terms; None for a baseline.
        costs: by COSTS; only those that were measured.
        choice: among which recipes its own was chosen; None where the study has one recipe.
    """

    number: int
    trial: str
    backbone: str
    width: float | None
    setup: Setup
    map50_95: float
    by_seed: tuple[float, ...]
    maturity: Maturity
    lead: Lead | None
    costs: dict[str, Cost]
    choice: Choice | None

    @property
    def recipe(self) -> str:
        """The chosen one, or `none` where the study has one recipe."""
        return self.choice.chosen.recipe if self.choice else NONE


@dataclass(frozen=True)
class Group:
    """Models on equal terms: a baseline, and all that were compared with it."""

    baseline: Model
    candidates: tuple[Model, ...]
    members: tuple[Member, ...]  # the trials of the candidates

    @property
    def models(self) -> tuple[Model, ...]:
        """The baseline first."""
        return self.baseline, *self.candidates


def groups_of(members: Sequence[Member], confidence: float) -> tuple[Group, ...]:
    """The groups, in the order of the trials.

    Args:
        members: comparable ones.
        confidence: of each difference's interval.
    """
    together: dict[object, list[Member]] = {}
    for member in members:
        summary = member.comparison.baseline
        together.setdefault((member.baseline, summary.backbone, summary.weights_digests), []).append(member)
    groups, number = [], 1
    for own in together.values():
        baseline = _model(number, own[0], "baseline", None, _baseline_costs(own))
        candidates = tuple(
            _model(number + place, each, "candidate", lead_over_baseline(each, confidence), _costs(each, baseline))
            for place, each in enumerate(own, start=1)
        )
        groups.append(Group(baseline, candidates, tuple(own)))
        number += 1 + len(own)
    return tuple(groups)


def joint_confidence(confidence: float, intervals: int) -> float:
    """The confidence of each of several intervals, with which all of them hold together (Bonferroni).

    >>> round(joint_confidence(0.95, 5), 6)
    0.99
    """
    return 1 - (1 - confidence) / max(intervals, 1)


def lead_over_baseline(member: Member, confidence: float) -> Lead:
    """The candidate's, at a confidence that holds for all; the guards are those of the trial's comparison."""
    comparison = member.comparison
    interval = at_other_confidence(comparison.metrics[DECIDING_METRIC], comparison, confidence)
    return Lead(interval, guarded(interval, comparison))


def at_other_confidence(
    metric: MetricDelta, comparison: Comparison, confidence: float, luck: Luck | None = None
) -> Interval:
    """The interval of a difference at another confidence than the comparison's.

    Args:
        metric: the difference, at the comparison's confidence.
        comparison: that has its scenes, seeds and confidence.
        confidence: the wanted one.
        luck: of the difference; by default the comparison's own.
    """
    if confidence == comparison.confidence:
        return Interval(delta=metric.delta, low=metric.low, high=metric.high)
    spread, seeds = comparison.spread, len(comparison.seeds)
    luck = luck or Luck(np.array([spread.sd]), spread.degrees, None, seeds)
    parts = np.array([metric.images_below, metric.images_above])
    own = float(luck.half_width(confidence)[0])
    return at_confidence(metric.delta, parts, own, comparison.guards.scenes, comparison.confidence, confidence)


def guarded(interval: Interval, comparison: Comparison) -> Verdict:
    """What an interval says; inconclusive with too few scenes, or where classes of few boxes decide the comparison."""
    if comparison.guards.few_scenes == "no verdict" or rare_classes_decide(comparison.guards, comparison.margin):
        return "inconclusive"
    return verdict_of(interval.low, interval.high, comparison.margin)


def _model(number: int, member: Member, arm: Arm, lead: Lead | None, costs: dict[str, Cost]) -> Model:
    summary = getattr(member.comparison, arm)
    return Model(
        number=number,
        trial=member.trial if arm == "candidate" else "",
        backbone=summary.backbone,
        width=width_of(summary.backbone),
        setup=getattr(member, arm),
        map50_95=getattr(member.comparison.metrics[DECIDING_METRIC], arm),
        by_seed=summary.map50_95,
        maturity=summary.maturity,
        lead=lead,
        costs=costs,
        choice=member.choices.get(arm),
    )


def _baseline_costs(members: Sequence[Member]) -> dict[str, Cost]:
    """Each trial has timed the baseline anew; the median of these counts."""
    costs = {}
    for name in COSTS:
        known = [each.comparison.costs[name] for each in members if name in each.comparison.costs]
        if known:
            value = round(median(each.baseline for each in known), 6)
            costs[name] = Cost(value, busy=all(each.busy for each in known))
    return costs


def _costs(member: Member, baseline: Model) -> dict[str, Cost]:
    """The candidate's: a latency is its ratio to the baseline, taken in turn, times that of the baseline's row.

    So what made the machine slower or faster in one trial than in another one is no difference between models.
    """
    costs = {}
    for name, reference in baseline.costs.items():
        if cost := member.comparison.costs.get(name):
            value = cost.ratio * reference.value if name in LATENCIES else cost.candidate
            costs[name] = Cost(round(value, 6), cost.ratio, cost.low, cost.high, cost.busy)
    return costs


def all_models(groups: Iterable[Group]) -> list[Model]:
    """In the order of their numbers."""
    return [model for group in groups for model in group.models]
