from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from mobileyolo.core.errors import ComparisonError
from mobileyolo.family.members import Member, Setup
from mobileyolo.study.members import members_of
from mobileyolo.study.trials import Trial
from mobileyolo.study.tuning import at_their_best
from mobileyolo.verdict.records import Comparison
from tests.synthetic_family import make_member
from tests.synthetic_study import make_course

RECIPES = [{"lr0": 0.0007}, {}, {"lr0": 0.006}]
ACROSS = make_member(delta=0.03).comparison


def trials(*backbones: str) -> list[Trial]:
    return make_course(backbones=list(backbones or ("mnv1_n",)), recipes=RECIPES).trials


def done(made: Sequence[Trial], baseline: Sequence[float], candidate: Sequence[float], **changes: Any) -> list[Member]:
    """The trials with these mAP50-95 on val; their mAP50-95 on test falls where that on val rises."""
    results = {}
    for trial, reference, own in zip(made, baseline, candidate, strict=False):
        comparison = make_member(trial.backbone, delta=-own, **changes).comparison
        arms = {
            arm: getattr(comparison, arm).model_copy(update={"val_map50_95": value})
            for arm, value in (("baseline", reference), ("candidate", own))
        }
        results[trial.name] = comparison.model_copy(update=arms)
    return list(members_of(made, results, {}))


class Across:
    """Remembers which trials it was asked for, as places in the grid."""

    def __init__(self, made: Sequence[Trial], error: str = "") -> None:
        self.made, self.error, self.asked = list(made), error, list[tuple[int, int]]()

    def __call__(self, baseline: Trial, candidate: Trial) -> Comparison:
        self.asked.append((self.made.index(baseline), self.made.index(candidate)))
        if self.error:
            raise ComparisonError(self.error)
        return ACROSS


def test_each_arm_has_the_recipe_that_is_best_on_val_and_these_two_are_compared() -> None:
    made = trials()
    across = Across(made)
    (member,) = at_their_best(made, done(made, (0.5, 0.6, 0.4), (0.2, 0.3, 0.4)), across).members
    assert across.asked == [(1, 2)]
    assert member.comparison is ACROSS
    assert member.trial == made[2].name
    assert {arm: choice.chosen.recipe for arm, choice in member.choices.items()} == {
        "baseline": "lr0 0.002", "candidate": "lr0 0.006",
    }  # fmt: skip
    assert [tried.val_map50_95 for tried in member.choices["candidate"].tried] == [0.2, 0.3, 0.4]
    assert [tried.trial for tried in member.choices["baseline"].tried] == [trial.name for trial in made]


def test_where_one_trial_has_both_it_is_that_trials_comparison() -> None:
    made = trials()
    members, across = done(made, (0.5, 0.6, 0.4), (0.2, 0.4, 0.3)), Across(made)
    (member,) = at_their_best(made, members, across).members
    assert across.asked == []
    assert dataclasses.replace(member, choices={}) == members[1]


def test_of_equally_good_recipes_the_first_is_chosen() -> None:
    made = trials()
    (member,) = at_their_best(made, done(made, (0.5, 0.5, 0.5), (0.2, 0.4, 0.4)), across := Across(made)).members
    assert across.asked == [(0, 1)]
    assert member.choices["baseline"].place == 0


def test_each_candidate_has_a_choice_of_its_own() -> None:
    made = trials("mnv1_n", "mnv1_s")
    across = Across(made)
    members = done(made, (0.5, 0.6, 0.4) * 2, (0.2, 0.3, 0.4, 0.5, 0.3, 0.4))
    assert [each.trial for each in at_their_best(made, members, across).members] == [made[2].name, made[3].name]
    assert across.asked == [(1, 2), (4, 3)]


def test_no_recipe_is_chosen_before_all_of_them_are_trained() -> None:
    made = trials("mnv1_n", "mnv1_s")
    members = done(made, (0.5, 0.6, 0.4) * 2, (0.2, 0.4, 0.3, 0.2, 0.4))  # the last one is not done
    tuned = at_their_best(made, members, across := Across(made))
    assert [each.trial for each in tuned.members] == [made[1].name]
    (waiting,) = tuned.unjudged
    assert (waiting.backbone, waiting.setup, waiting.missing) == ("mnv1_s", Setup(128, "none", "none"), (made[5].name,))
    assert across.asked == []


def test_a_recipe_that_was_trained_on_other_data_is_left_out_and_waited_for() -> None:
    made = trials()
    members = done(made, (0.5, 0.6, 0.4), (0.2, 0.4, 0.3))
    other = members[0].comparison.model_copy(update={"data_digest": "0ther"})
    members[0] = dataclasses.replace(members[0], comparison=other)
    tuned = at_their_best(made, members, Across(made))
    assert tuned.members == ()
    assert [each.trial for each in tuned.excluded] == [made[0].name]
    assert [each.missing for each in tuned.unjudged] == [(made[0].name,)]


def test_chosen_models_that_cannot_be_compared_leave_their_candidate_unjudged_with_the_reason() -> None:
    made = trials()
    tuned = at_their_best(made, done(made, (0.5, 0.6, 0.4), (0.2, 0.3, 0.4)), Across(made, "init.backbone differs"))
    assert tuned.members == ()
    assert [(each.missing, each.error) for each in tuned.unjudged] == [((), "init.backbone differs")]


@pytest.mark.parametrize("count", [0, 2, 3])
def test_without_recipes_every_trial_that_is_done_is_a_member(count: int) -> None:
    made = make_course().trials
    members = done(made[:count], (0.5,) * 3, (0.4,) * 3)
    tuned = at_their_best(made, members, Across(made))
    assert (list(tuned.members), tuned.unjudged, tuned.excluded) == (members, (), ())
