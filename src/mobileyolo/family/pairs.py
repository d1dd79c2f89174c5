"""Candidates with the same baseline among each other: the differences that no trial has compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from mobileyolo.core.records import METRICS
from mobileyolo.core.results import Statistics
from mobileyolo.family.members import Detections, Member
from mobileyolo.family.models import Group, Lead, Model, at_other_confidence, joint_confidence
from mobileyolo.verdict.bootstrap import resampled
from mobileyolo.verdict.differences import Rule, metric_deltas
from mobileyolo.verdict.interval import verdict_of
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.records import DECIDING_METRIC, Interval
from mobileyolo.verdict.sorted_predictions import FloatArray


@dataclass(frozen=True)
class Pair:
    """Two candidates with the same baseline, and the lead of one over the other."""

    model: Model
    other: Model
    lead: Lead


def pairs_of(groups: Sequence[Group], confidence: float) -> tuple[Pair, ...]:
    """Every two candidates of a group. All members need their statistics.

    Args:
        groups: of the family.
        confidence: with which all these intervals hold together.
    """
    each = joint_confidence(confidence, count_pairs(groups))
    return tuple(pair for group in groups if len(group.candidates) > 1 for pair in _pairs(group, each))


def count_pairs(groups: Sequence[Group]) -> int:
    """How many there are."""
    return sum(len(group.candidates) * (len(group.candidates) - 1) // 2 for group in groups)


def without_statistics(groups: Sequence[Group]) -> list[str]:
    """Trials that can't be compared with others, because their statistics are not at hand."""
    several = [group for group in groups if len(group.candidates) > 1]
    return [member.trial for group in several for member in group.members if not _known(member)]


def _pairs(group: Group, confidence: float) -> Iterator[Pair]:
    rules = [_rule(member) for member in group.members]
    draws = rules[0].draws()  # scenes, number of draws and their seed are the study's, so all members have the same
    measured = [_Measured.of(_detections(member).statistics, draws) for member in group.members]
    for first, second in combinations(range(len(group.candidates)), 2):
        by_seed = np.stack((measured[first].by_seed, measured[second].by_seed))
        drawn = np.stack((measured[first].drawn, measured[second].drawn), axis=1)
        lead = _lead(by_seed, drawn, rules[second], group.members[second], confidence)
        yield Pair(group.candidates[second], group.candidates[first], lead)


def _lead(by_seed: FloatArray, drawn: FloatArray, rule: Rule, member: Member, confidence: float) -> Lead:
    """The second one's over the first, guarded as a comparison is: by scenes, and by classes of few boxes.

    Args:
        by_seed: of both, shape (2, seeds, 3, classes).
        drawn: the same on each draw, shape (resamples, 2, seeds, 3, classes).
        rule: how an interval is made.
        member: of either; its scenes and classes are those of both.
        confidence: of the interval.
    """
    comparison = member.comparison
    guards, margin = comparison.guards, comparison.margin

    def interval(classes: npt.NDArray[np.bool_]) -> Interval:
        deltas, luck = metric_deltas(by_seed[..., classes], drawn[..., classes], rule)
        return at_other_confidence(deltas[DECIDING_METRIC], comparison, confidence, luck)

    in_order = sorted(comparison.classes, key=lambda each: each.class_id)
    common = np.array([each.name not in guards.rare_classes for each in in_order])
    whole = interval(np.ones_like(common))
    verdict = verdict_of(whole.low, whole.high, margin)
    if guards.few_scenes == "no verdict":
        verdict = "inconclusive"
    elif common.any() and not common.all():
        rest = interval(common)
        verdict = verdict if verdict_of(rest.low, rest.high, margin) == verdict else "inconclusive"
    return Lead(whole, verdict)


@dataclass(frozen=True)
class _Measured:
    """A candidate on all images, shape (seeds, 3, classes), and on each draw, shape (resamples, seeds, 3, classes)."""

    by_seed: FloatArray
    drawn: FloatArray

    @classmethod
    def of(cls, statistics: Sequence[Statistics], draws: Sequence[FloatArray]) -> _Measured:
        models = [WeightedMetrics(each) for each in statistics]
        return cls(resampled(models, [np.ones(models[0].images)])[0], resampled(models, draws))


def _rule(member: Member) -> Rule:
    """How intervals are made, as in the trial's comparison; what it has assumed of the luck is assumed here as well."""
    spread, seeds = member.comparison.spread, len(member.comparison.seeds)
    assumed = dict.fromkeys(METRICS, spread.assumed or 0.0)
    return Rule(member.options, _detections(member).scenes, assumed, max(0, spread.degrees - 2 * (seeds - 1)))


def _known(member: Member) -> bool:
    return member.evidence is not None and member.evidence.candidate is not None


def _detections(member: Member) -> Detections:
    if member.evidence is None or member.evidence.candidate is None:
        raise ValueError(f"{member.trial} has no statistics")
    return member.evidence.candidate
