from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from mobileyolo.core.records import METRICS
from mobileyolo.verdict.differences import Differences, Rule
from mobileyolo.verdict.guards import guard, guarded_verdict, rare_classes_decide
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Guards
from tests.synthetic_results import make_arms

OPTIONS = VerdictOptions(confidence=0.95, resamples=200, seed_sd=0.01, margin=0.01, seed=0)


def rule_of(scenes: int, images: int = 72) -> Rule:
    return Rule(OPTIONS, np.arange(images) % scenes, dict.fromkeys(METRICS, 0.01), assumed_degrees=4)


def differences_of(scenes: int, baseline: float = 0.5, candidate: float = 0.9) -> Differences:
    return Differences.of(*make_arms(baseline, candidate, images=72), rule_of(scenes))


@pytest.fixture(scope="module")
def differences() -> Differences:
    """A candidate that is far better, on 72 scenes."""
    return differences_of(72)


@pytest.mark.parametrize(
    ("scenes", "told", "verdict"),
    [
        (4, "no verdict", "inconclusive"),
        (5, "caveat", "better"),
        (29, "caveat", "better"),
        (30, "none", "better"),
    ],
)
def test_few_scenes_give_a_caveat_and_very_few_no_verdict(scenes: int, told: str, verdict: str) -> None:
    differences, rule = differences_of(scenes), rule_of(scenes)
    guards = guard(differences, rule, candidates=1)
    assert differences.metrics["map50_95"].verdict == "better"
    assert (guards.scenes, guards.few_scenes) == (scenes, told)
    assert guarded_verdict(guards, OPTIONS.margin) == verdict


def test_without_another_candidate_the_interval_stays_as_it_is(differences: Differences) -> None:
    guards = guard(differences, rule_of(72), candidates=1)
    metric = differences.metrics["map50_95"]
    assert (guards.corrected.low, guards.corrected.high) == (metric.low, metric.high)
    assert guards.corrected_confidence == 0.95
    assert (guards.rare_classes, guards.without_rare) == ((), None)


def test_twenty_candidates_widen_each_part_as_bonferroni_says(differences: Differences) -> None:
    guards = guard(differences, rule_of(72), candidates=20)
    metric = differences.metrics["map50_95"]
    assert guards.corrected_confidence == pytest.approx(0.9975)
    images, luck = (stats.t.ppf(0.99875, degrees) / stats.t.ppf(0.975, degrees) for degrees in (71, 4))
    below = np.hypot(metric.images_below * images, metric.luck * luck)
    assert metric.delta - guards.corrected.low == pytest.approx(below, abs=3e-6)
    assert guards.corrected.low < metric.low < metric.high < guards.corrected.high


def test_the_corrected_interval_decides() -> None:
    differences = differences_of(72, 0.7, 0.79)
    rule = rule_of(72)
    one, many = (guard(differences, rule, candidates) for candidates in (1, 1000))
    assert guarded_verdict(one, OPTIONS.margin) == differences.metrics["map50_95"].verdict == "better"
    assert guarded_verdict(many, OPTIONS.margin) != "better"


def with_rare(differences: Differences, *class_ids: int) -> Differences:
    """The same with nine boxes of some classes."""
    classes = tuple(
        each.model_copy(update={"boxes": 9}) if each.class_id in class_ids else each for each in differences.classes
    )
    return dataclasses.replace(differences, classes=classes)


def only_platelets_differ(differences: Differences) -> Differences:
    """The candidate is better in class 2 alone, so much that the mean is better."""
    others = np.array([0.0, 0.0, 1.0])
    return dataclasses.replace(
        differences,
        class_draws=differences.class_draws * others,
        class_by_seed=differences.class_by_seed * others,
    )


def test_a_rare_class_that_makes_the_verdict_alone_leaves_it_open(differences: Differences) -> None:
    alone = only_platelets_differ(with_rare(differences, 2))
    guards = guard(alone, rule_of(72), candidates=1)
    assert guards.rare_classes == ("platelet",)
    assert guards.without_rare not in ("better", None)
    assert rare_classes_decide(guards, OPTIONS.margin)
    assert guarded_verdict(guards, OPTIONS.margin) == "inconclusive"


def test_a_rare_class_that_changes_nothing_is_named_only(differences: Differences) -> None:
    guards = guard(with_rare(differences, 2), rule_of(72), candidates=1)
    assert (guards.rare_classes, guards.without_rare) == (("platelet",), "better")
    assert guarded_verdict(guards, OPTIONS.margin) == "better"


def test_ten_boxes_are_enough(differences: Differences) -> None:
    assert min(each.boxes for each in differences.classes) >= 10
    assert guard(differences, rule_of(72), candidates=1).rare_classes == ()


def test_where_every_class_is_rare_nothing_is_left_to_be_looked_at(differences: Differences) -> None:
    guards = guard(with_rare(differences, 0, 1, 2), rule_of(72), candidates=1)
    assert (guards.rare_classes, guards.without_rare) == (("red", "white", "platelet"), None)
    assert guarded_verdict(guards, OPTIONS.margin) == "better"


def test_guards_are_a_record_that_can_be_read_again(differences: Differences) -> None:
    guards = guard(with_rare(differences, 2), rule_of(72), candidates=3)
    assert Guards.model_validate_json(guards.model_dump_json()) == guards
