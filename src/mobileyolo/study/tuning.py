"""Each arm at its best: a recipe chosen on val, for which both arms had the same ones to choose from (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.errors import UserError
from mobileyolo.family.comparable import Excluded, comparable
from mobileyolo.family.members import Choice, Member, Setup, Tried, Unjudged
from mobileyolo.study.trials import Trial
from mobileyolo.verdict.records import Comparison

Across = Callable[[Trial, Trial], Comparison]  # compares the first one's baseline with the second one's candidate


@dataclass(frozen=True)
class Tuned:
    """The members of a study of recipes: one for each candidate and what it is trained with beside the recipe.

    Attributes:
        members: each arm at its best.
        unjudged: candidates without a member.
        excluded: trials that can't be compared with those of the same candidate.
    """

    members: tuple[Member, ...]
    unjudged: tuple[Unjudged, ...] = ()
    excluded: tuple[Excluded, ...] = ()


def at_their_best(trials: Sequence[Trial], members: Sequence[Member], across: Across) -> Tuned:
    """Choose each arm's recipe, and compare the two chosen models.

    Nothing is chosen before all recipes of a candidate are trained: the arms would have had unequal budgets.

    Args:
        trials: of the study.
        members: those of its trials that are done.
        across: compares models of two trials; a UserError of it leaves the candidate unjudged.
    """
    if not any(trial.tuned for trial in trials):
        return Tuned(tuple(members))
    by_trial = {member.trial: member for member in members}
    judged: list[Member] = []
    unjudged: list[Unjudged] = []
    excluded: list[Excluded] = []
    for _, each in groupby(trials, key=lambda trial: trial.terms):
        own = list(each)
        first = own[0]
        kept, others = comparable([by_trial[trial.name] for trial in own if trial.name in by_trial])
        excluded += others
        known = {member.trial for member in kept}
        missing = tuple(trial.name for trial in own if trial.name not in known)
        found: Member | str = "" if missing else _at_its_best(own, kept, across)
        if isinstance(found, str):
            setup = Setup(first.imgsz, first.start, first.teacher)
            unjudged.append(Unjudged(first.backbone, setup, missing, found))
        else:
            judged.append(found)
    return Tuned(tuple(judged), tuple(unjudged), tuple(excluded))


def _at_its_best(trials: Sequence[Trial], members: Sequence[Member], across: Across) -> Member | str:
    """One candidate and its baseline, from the trials of all recipes; or why they can't be compared."""
    choices: dict[Arm, Choice] = {arm: _choice(arm, trials, members) for arm in ARMS}
    baseline, candidate = (choices[arm].place for arm in ARMS)
    member = members[candidate]
    if baseline != candidate:
        try:
            member = replace(member, comparison=across(trials[baseline], trials[candidate]))
        except UserError as error:
            return str(error)
    return replace(member, choices=choices)


def _choice(arm: Arm, trials: Sequence[Trial], members: Sequence[Member]) -> Choice:
    return Choice(
        tuple(
            Tried(trial.recipe, trial.name, getattr(member.comparison, arm).val_map50_95)
            for trial, member in zip(trials, members, strict=True)
        )
    )
