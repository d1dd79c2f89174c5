from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mobileyolo.core.errors import ConfigError
from mobileyolo.parameters import check_parameters

VALUES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))


def check(**changes: object) -> None:
    check_parameters({**VALUES, "study": {**VALUES["study"], **changes}})


def test_the_shipped_study_is_n_s_and_m_with_three_seeds() -> None:
    study = check_parameters(VALUES).study
    assert (study.backbones, study.seeds) == (("mnv1_n", "mnv1_s", "mnv1_m"), (0, 1, 2))
    assert {getattr(study, key) for key in ("imgsz", "starts", "teachers", "recipes")} == {()}


def test_a_grid_may_have_any_width_start_and_teacher() -> None:
    check(backbones=["mnv1@0.75"], starts=["none", "init.backbone=imagenet"], teachers=["none", "baseline", "yolo11s"])


def test_a_recipe_may_change_any_value_of_the_recipe_that_is_not_set_elsewhere() -> None:
    check(recipes=[{"lr0": 0.0007}, {}, {"optimizer": "SGD", "lr0": 0.01, "cos_lr": True}, {"optimizer": "auto"}])


@pytest.mark.parametrize(
    ("recipes", "told"),
    [
        ([{"lr0": 0.1}], "study.recipes: [{'lr0': 0.1}]: one recipe leaves no choice; name two or more"),
        ([0.1, {}], "study.recipes.0: 0.1: write keys of the section train with their values, such as {lr0: 0.001}"),
        ([{}, {"lr": 0.1}], "study.recipes.1.lr: unknown key; did you mean 'lrf'? choose one of epochs, imgsz, batch,"),
        ([{"lr0": -1.0}, {}], "study.recipes.0.lr0: -1.0: input should be greater than 0"),
        ([{"optimizer": "Lion"}, {}], "study.recipes.0.optimizer: 'Lion': input should be 'auto', 'SGD', "),
        ([{"epochs": 9}, {}], "study.recipes.0.epochs: 9: it is the same for all recipes: set train.epochs; a recipe "),
        ([{"imgsz": 96}, {}], "study.recipes.0.imgsz: 96: it is the same for all recipes: set study.imgsz; a recipe "),
        ([{"teacher": "none"}, {}], "study.recipes.0.teacher: 'none': it is the same for all recipes: set study.teach"),
        ([{"optimizer": "auto", "lr0": 0.1}, {}], "study.recipes.0.lr0: 0.1: has no effect with the optimizer auto, "),
        ([{}, {}], "study.recipes: [{}, {}]: {} occurs twice"),
        ([{"lr0": 0.002}, {}], "study.recipes.1: {}: the same recipe as study.recipes.0, with the values of train"),
    ],
)
def test_a_recipe_that_cannot_be_is_named_with_its_key_and_what_is_right(recipes: list[object], told: str) -> None:
    assert VALUES["train"]["lr0"] == 0.002
    with pytest.raises(ConfigError) as raised:
        check(recipes=recipes)
    assert f"params.yaml: {told}" in str(raised.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("backbones", "mnv1_n", "study.backbones: 'mnv1_n': input should be a list, such as [mnv1_n]"),
        ("backbones", ["mnv1_n", "mnv1_n"], "study.backbones: ['mnv1_n', 'mnv1_n']: 'mnv1_n' occurs twice"),
        ("backbones", ["mnv2"], "study.backbones.0: 'mnv2': unknown backbone; choose one of mnv1_n,"),
        ("backbones", [], "study.backbones: []: "),
        ("imgsz", [100], "study.imgsz.0: 100: input should be a multiple of 32"),
        ("starts", ["imagenet"], "study.starts.0: 'imagenet': write none, init.backbone=<weights> or init.detector="),
        ("teachers", ["a.pt"], "study.teachers.0: 'a.pt': choose none, baseline,"),
        ("widths", [1], "study.widths: unknown key; choose one of backbones, imgsz, seeds, starts, teachers, rec"),
        (
            "resources",
            {**VALUES["study"]["resources"], "gpus": 1.5},
            "study.resources.gpus: 1.5: input should be a part of one GPU, such as 0.5, or a whole number of them",
        ),
        (
            "resources",
            {"cpu": 1},
            "study.resources.cpu: unknown key; did you mean 'cpus'? choose one of cpus, gpus",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_right(key: str, value: object, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(**{key: value})
    assert f"params.yaml: {told}" in str(raised.value)
