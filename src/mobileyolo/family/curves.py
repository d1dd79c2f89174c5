"""Models -> what the figures show: fronts of accuracy against a cost, and accuracy over width and resolution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mobileyolo.family.members import Setup
from mobileyolo.family.models import Group, Model, all_models


@dataclass(frozen=True)
class Curve:
    """Models that differ in one thing only, in the order of that.

    Attributes:
        models: two or more.
        reference: the baseline of equal terms, where it is the same for all of them.
    """

    models: tuple[Model, ...]
    reference: Model | None = None


def front(models: Iterable[Model], cost: str) -> list[Model]:
    """Those that no other one beats: none is as accurate and as cheap, and better in one of both. The cheapest first.

    Args:
        models: of any groups; those without this cost are left out.
        cost: one of COSTS.
    """
    known = [model for model in models if cost in model.costs]

    def beaten(model: Model) -> bool:
        own = (-model.costs[cost].value, model.map50_95)
        others = ((-other.costs[cost].value, other.map50_95) for other in known)
        return any(other != own and other[0] >= own[0] and other[1] >= own[1] for other in others)

    return sorted((model for model in known if not beaten(model)), key=lambda model: model.costs[cost].value)


def over_width(groups: Sequence[Group]) -> list[Curve]:
    """Candidates of several widths on equal terms, a curve for each start and teacher."""
    series: dict[tuple[int, Setup], list[Model]] = {}
    baselines = {group.baseline.number: group.baseline for group in groups}
    for group in groups:
        for model in group.candidates:
            if model.width is not None:
                series.setdefault((group.baseline.number, model.setup), []).append(model)
    return [
        Curve(tuple(sorted(models, key=lambda each: each.width or 0)), baselines[number])
        for (number, _), models in series.items()
        if len({model.width for model in models}) > 1
    ]


def over_resolution(groups: Sequence[Group]) -> list[Curve]:
    """Models that were trained at several resolutions and are equal otherwise, baselines too."""
    series: dict[object, list[Model]] = {}
    for model in all_models(groups):
        series.setdefault((model.backbone, not model.trial, model.setup.start, model.setup.teacher), []).append(model)
    several = [each for each in series.values() if len({model.setup.imgsz for model in each}) > 1]
    return [Curve(tuple(sorted(each, key=lambda model: model.setup.imgsz))) for each in several]
