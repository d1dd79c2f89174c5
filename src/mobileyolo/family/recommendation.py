"""Which one model to take, or why none can be recommended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mobileyolo.family.models import Group, Model
from mobileyolo.verdict.records import Verdict

GOOD: tuple[Verdict, ...] = ("better", "equivalent", "no worse")
QUOTED = "latency_ms"  # what the cheapest has least of
COUNTED = "gflops"  # in place of it, where a latency is not known for certain

Reason = Literal["recommended", "provisional", "few scenes", "untrained", "none is good", "none is cheaper"]


@dataclass(frozen=True)
class Recommendation:
    """The answer of a study.

    Attributes:
        reason: `recommended`, or why nothing is.
        model: the one to take; None if there is none.
        baseline: the most accurate one, against which its candidates were judged.
        cost: by which the cheapest was chosen, QUOTED or COUNTED.
        good: candidates whose verdict against this baseline is one of GOOD.
    """

    reason: Reason
    model: Model | None
    baseline: Model
    cost: str
    good: tuple[Model, ...] = ()

    @property
    def has_one_recipe(self) -> bool:
        """Is a model recommended that was trained as its baseline was, so that one experiment holds both?"""
        return self.model is not None and self.model.recipe == self.baseline.recipe


def recommend(groups: Sequence[Group]) -> Recommendation:
    """The cheapest candidate that is shown to be better, equivalent or no worse.

    Only candidates on equal terms with the most accurate baseline count: to be as good as a baseline that is weaker
    than it could be, for example at a lower resolution, is no reason to take a model. One that is no better has to be
    cheaper than the baseline.

    Args:
        groups: at least one.
    """
    group = max(groups, key=lambda each: each.baseline.map50_95)
    comparisons = [member.comparison for member in group.members]
    good = tuple(each for each in group.candidates if each.lead and each.lead.verdict in GOOD)
    cost = QUOTED if good and all(_is_certain(model) for model in good) else COUNTED

    def answer(reason: Reason, model: Model | None = None) -> Recommendation:
        return Recommendation(reason, model, group.baseline, cost, good)

    if any(comparison.provisional for comparison in comparisons):
        return answer("provisional")
    if any(comparison.guards.few_scenes == "no verdict" for comparison in comparisons):
        return answer("few scenes")
    if not good:
        return answer("none is good")
    # Two models that have both learnt nothing are equivalent.
    trained = [model for model in good if "untrained" not in (model.maturity, group.baseline.maturity)]
    if not trained:
        return answer("untrained")
    worthwhile = [model for model in trained if _verdict(model) == "better" or _is_cheaper(model, cost)]
    if not worthwhile:
        return answer("none is cheaper")
    return answer("recommended", min(worthwhile, key=lambda model: model.costs[cost].value))


def _verdict(model: Model) -> Verdict | None:
    return model.lead.verdict if model.lead else None


def _is_certain(model: Model) -> bool:
    """Is its latency measured on a calm machine, with an interval?"""
    latency = model.costs.get(QUOTED)
    return latency is not None and not latency.busy and latency.high is not None


def _is_cheaper(model: Model, cost: str) -> bool:
    """Than the baseline; of a latency the whole interval has to be below it.

    Fewer operations do not count where even an uncertain latency is wholly above it.
    """
    latency = model.costs.get(QUOTED)
    if cost == QUOTED:
        return latency is not None and latency.high is not None and latency.high < 1
    is_slower = latency is not None and latency.low is not None and latency.low > 1
    ratio = model.costs[cost].ratio
    return ratio is not None and ratio < 1 and not is_slower
