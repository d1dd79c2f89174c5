from __future__ import annotations

import dataclasses

from mobileyolo.family.curves import front, over_resolution, over_width
from mobileyolo.family.family import Family
from mobileyolo.family.models import Cost, Model
from tests.synthetic_family import make_family_members, make_member


def models(*places: tuple[float, float]) -> list[Model]:
    """Models with these GFLOPs and accuracies."""
    made = Family.of([make_member()]).models[1]
    return [
        dataclasses.replace(made, number=number, map50_95=accuracy, costs={"gflops": Cost(cost)})
        for number, (cost, accuracy) in enumerate(places)
    ]


def test_the_front_is_what_no_other_one_beats_the_cheapest_first() -> None:
    made = models((3, 0.5), (1, 0.3), (2, 0.2), (2, 0.4), (4, 0.5))
    assert [model.number for model in front(made, "gflops")] == [1, 3, 0]


def test_models_that_are_equal_in_both_are_on_the_front_together() -> None:
    assert [model.number for model in front(models((1, 0.3), (1, 0.3), (1, 0.2)), "gflops")] == [0, 1]


def test_a_model_without_the_cost_is_on_no_front() -> None:
    assert front(models((1, 0.3)), "parameters") == []


def test_a_curve_over_width_is_of_equal_terms_with_its_baseline() -> None:
    groups = Family.of(make_family_members(pairwise=False)).groups
    curves = over_width(groups)
    assert [[model.width for model in curve.models] for curve in curves] == [[0.25, 0.5, 1.0]] * 4
    assert [curve.reference for curve in curves] == [group.baseline for group in groups]


def test_one_width_and_stock_backbones_make_no_curve() -> None:
    assert over_width(Family.of([make_member("mnv1_n")]).groups) == []
    assert over_width(Family.of([make_member("mnv1_n"), make_member("mnv1_n", teacher="yolo11m")]).groups) == []


def test_candidates_with_a_teacher_are_a_curve_of_their_own() -> None:
    made = [make_member(name, teacher=teacher) for teacher in ("none", "baseline") for name in ("mnv1_n", "mnv1_s")]
    assert [[model.number for model in curve.models] for curve in over_width(Family.of(made).groups)] == [
        [2, 3],
        [4, 5],
    ]


def test_a_curve_over_resolution_is_of_one_backbone_start_and_teacher() -> None:
    curves = over_resolution(Family.of(make_family_members(pairwise=False)).groups)
    assert len(curves) == 2 * 4  # starts; the baseline and three candidates
    assert all([model.setup.imgsz for model in curve.models] == [256, 320] for curve in curves)
    assert all(len({(model.backbone, model.setup.start) for model in curve.models}) == 1 for curve in curves)
    assert over_resolution(Family.of([make_member()]).groups) == []
