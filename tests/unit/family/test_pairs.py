from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from mobileyolo.core.records import METRICS
from mobileyolo.core.results import Statistics
from mobileyolo.family.family import Family
from mobileyolo.family.members import Detections, Member
from mobileyolo.verdict.differences import Differences, Rule
from mobileyolo.verdict.records import DECIDING_METRIC
from tests.synthetic_family import OPTIONS, make_family_members, make_member
from tests.synthetic_results import make_result


def with_statistics(member: Member, statistics: list[Statistics]) -> Member:
    assert member.evidence is not None
    detections = dataclasses.replace(detections_of(member), statistics=statistics)
    return dataclasses.replace(member, evidence=dataclasses.replace(member.evidence, candidate=detections))


def detections_of(member: Member) -> Detections:
    assert member.evidence is not None
    assert member.evidence.candidate is not None
    return member.evidence.candidate


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_a_pair_has_the_interval_that_a_comparison_of_both_would_have(seeds: int) -> None:
    spread = make_member().comparison.spread.model_copy(update={"sd": 0.01, "degrees": 4, "assumed": 0.01})
    first, second = (
        make_member(backbone, delta, statistics=number, seeds=seeds, spread=spread)
        for number, (backbone, delta) in enumerate((("mnv1_n", -0.1), ("mnv1_s", 0.0)))
    )
    (pair,) = Family.of([first, second]).pairs
    arms = [
        [
            make_result("candidate", "mnv1_n", dataclasses.replace(each, per_class=with_classes(each)), seed)
            for seed, each in enumerate(detections_of(member).statistics)
        ]
        for member in (first, second)
    ]
    rule = Rule(OPTIONS, detections_of(first).scenes, dict.fromkeys(METRICS, 0.01), 4)
    expected = Differences.of(arms[0], arms[1], rule).metrics[DECIDING_METRIC]
    assert (pair.other.backbone, pair.model.backbone) == ("mnv1_n", "mnv1_s")
    assert pair.lead.interval.model_dump() == expected.model_dump(include={"delta", "low", "high"})
    assert pair.lead.verdict == expected.verdict


def with_classes(statistics: Statistics) -> pd.DataFrame:
    """The table of classes, of which only the names and counts are read here."""
    counts = statistics.targets.groupby("class_id")["image"].agg(["nunique", "size"]).reset_index()
    counts.columns = ["class_id", "images", "boxes"]
    return counts.assign(name=[statistics.names[number] for number in counts["class_id"]])


def test_pairs_have_one_baseline_and_hold_together() -> None:
    family = Family.of(make_family_members())
    assert family.count_pairs == len(family.pairs) == 4 * 3
    assert family.pair_confidence == pytest.approx(1 - 0.05 / 12)
    assert all(pair.model.setup == pair.other.setup for pair in family.pairs)
    alone = Family.of(make_family_members()[:2]).pairs[0].lead.interval
    (wider,) = (pair.lead.interval for pair in family.pairs if (pair.other.number, pair.model.number) == (2, 3))
    assert wider.delta == alone.delta
    assert wider.low < alone.low < alone.high < wider.high


def test_without_the_statistics_of_one_there_are_no_pairs_and_it_is_named() -> None:
    lost = make_member("mnv1_m")
    family = Family.of([make_member("mnv1_n", statistics=1), make_member("mnv1_s", statistics=2), lost])
    assert family.pairs == ()
    assert family.no_statistics == (lost.trial,)


def test_statistics_that_no_pair_needs_are_not_missed() -> None:
    family = Family.of([make_member(), make_member(imgsz=256)])
    assert (family.pairs, family.no_statistics, family.count_pairs) == ((), (), 0)


def test_pairs_can_be_left_for_later() -> None:
    family = Family.of(make_family_members(pairwise=False)[:3], pairwise=False)
    assert (family.pairs, family.no_statistics, family.count_pairs) == ((), (), 3)


def test_a_class_of_few_boxes_decides_nothing_between_two_candidates() -> None:
    """The second one finds nothing of one class, and is the first one otherwise."""
    good = make_member("mnv1_n", statistics=1)
    without = [
        dataclasses.replace(each, predictions=each.predictions[each.predictions["class_id"] != 2])
        for each in detections_of(good).statistics
    ]
    for rare, verdict in (((), "worse"), (("platelet",), "inconclusive")):
        guards = good.comparison.guards.model_copy(update={"rare_classes": rare})
        members = [make_member(name, statistics=1, guards=guards) for name in ("mnv1_n", "mnv1_s")]
        (pair,) = Family.of([members[0], with_statistics(members[1], without)]).pairs
        assert pair.lead.interval.high < 0
        assert pair.lead.verdict == verdict


def test_with_too_few_scenes_no_pair_has_a_verdict() -> None:
    guards = make_member().comparison.guards.model_copy(update={"few_scenes": "no verdict"})
    members = [
        make_member("mnv1_n", -0.4, statistics=1, guards=guards),
        make_member("mnv1_s", 0.2, statistics=2, guards=guards),
    ]
    (pair,) = Family.of(members).pairs
    assert pair.lead.interval.low > 0.01
    assert pair.lead.verdict == "inconclusive"
