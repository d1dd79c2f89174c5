from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from mobileyolo.core.errors import ConfigError
from mobileyolo.study.parameters import StudyOptions
from mobileyolo.study.trials import Trial, distinct_trainings, trials_of

VALUES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))


def trials(values: dict[str, Any] = VALUES, **grid: object) -> list[Trial]:
    study = {**VALUES["study"], **grid}
    return trials_of(StudyOptions.model_validate(study), {**values, "study": study})


def changed(section: str, **values: object) -> dict[str, Any]:
    result = copy.deepcopy(VALUES)
    result[section] |= values
    return result


def test_without_more_each_backbone_is_a_trial_by_the_values_of_the_file() -> None:
    made = trials()
    assert [(trial.backbone, trial.imgsz, trial.start, trial.teacher) for trial in made] == [
        (name, VALUES["train"]["imgsz"], "none", "none") for name in ("mnv1_n", "mnv1_s", "mnv1_m")
    ]
    assert {tuple(trial.values["seeds"]) for trial in made} == {(0, 1, 2)}
    assert all("study" not in trial.values for trial in made)


def test_the_grid_is_every_combination_and_candidates_on_equal_terms_are_neighbours() -> None:
    made = trials(
        backbones=["mnv1_n", "mnv1_s"],
        imgsz=[64, 96],
        starts=["none", "init.detector=a.pt"],
        teachers=["none", "yolo11s"],
    )
    terms = [(trial.imgsz, trial.start, trial.teacher) for trial in made]
    assert set(Counter(terms).values()) == {2}
    assert len(set(terms)) == 8
    assert terms[::2] == terms[1::2]
    assert len({trial.name for trial in made}) == 16


def test_a_start_is_all_that_a_trial_starts_from() -> None:
    (trial,) = trials(changed("init", detector="b.pt"), backbones=["mnv1_n"], starts=["init.backbone=imagenet"])
    assert trial.values["init"] == {"backbone": "imagenet", "detector": "none", "teacher": "none"}


def test_a_study_of_teachers_sets_the_file_that_teaches_aside() -> None:
    values = changed("init", teacher="t.pt")
    assert [trial.teacher for trial in trials(values, backbones=["mnv1_n"])] == ["t.pt"]
    assert [trial.teacher for trial in trials(values, backbones=["mnv1_n"], teachers=["yolo11s"])] == ["yolo11s"]


def test_the_same_parameters_have_the_same_name_whatever_else_the_grid_has() -> None:
    names = [trial.name for trial in trials()]
    assert [trial.name for trial in trials(backbones=["mnv1_n", "mnv1_s", "mnv1_m", "mnv1@0.75"])][:3] == names
    assert not {trial.name for trial in trials(changed("train", lr0=0.5))} & set(names)
    assert not {trial.name for trial in trials(seeds=[0, 1])} & set(names)


def test_a_name_is_one_that_git_and_dvc_take() -> None:
    for trial in trials(backbones=["mnv1_n", "mnv1@0.75"]):
        assert re.fullmatch(r"study-[\w.-]+-128-[0-9a-f]{8}", trial.name)


def test_every_candidate_is_trained_with_every_recipe_one_after_the_other() -> None:
    made = trials(backbones=["mnv1_n", "mnv1_s"], imgsz=[64, 96], recipes=[{"lr0": 0.0007}, {}, {"cos_lr": True}])
    assert [trial.recipe for trial in made[:3]] == [
        "lr0 0.0007, cos_lr false", "lr0 0.002, cos_lr false", "lr0 0.002, cos_lr true",
    ]  # fmt: skip
    assert [(trial.backbone, trial.imgsz) for trial in made[::3]] == [
        ("mnv1_n", 64), ("mnv1_s", 64), ("mnv1_n", 96), ("mnv1_s", 96),
    ]  # fmt: skip
    assert made[0].terms == made[1].terms == made[2].terms
    assert made[2].terms != made[3].terms
    assert made[2].values["train"] == {**VALUES["train"], "imgsz": 64, "cos_lr": True}


def test_both_arms_are_trained_with_each_recipe_and_the_baseline_once() -> None:
    made = trials(backbones=["mnv1_n", "mnv1_s"], recipes=[{"lr0": 0.0007}, {}])
    trained = Counter((each.backbone, each.recipe) for each in distinct_trainings(made, []))
    recipes = ("lr0 0.0007", "lr0 0.002")
    assert trained == {(name, recipe): 3 for name in ("yolo11n", "mnv1_n", "mnv1_s") for recipe in recipes}


def test_a_recipe_that_changes_nothing_is_the_trial_of_a_study_without_recipes() -> None:
    (alone,) = trials(backbones=["mnv1_n"])
    _, same = trials(backbones=["mnv1_n"], recipes=[{"lr0": 0.1}, {}])
    assert same.name == alone.name
    assert (alone.recipe, alone.terms) == ("none", alone.values)


def test_the_baseline_is_no_candidate() -> None:
    with pytest.raises(ConfigError, match=r"study\.backbones: 'yolo11n' is the baseline"):
        trials(backbones=["mnv1_n", "yolo11n"])


def test_the_baseline_of_equal_terms_is_trained_once() -> None:
    made = trials(backbones=["mnv1_n", "mnv1_s"], imgsz=[64, 96])
    trained = Counter((each.arm, each.backbone, each.imgsz) for each in distinct_trainings(made, []))
    assert trained == {
        (arm, name, side): 3
        for arm, name in (("baseline", "yolo11n"), ("candidate", "mnv1_n"), ("candidate", "mnv1_s"))
        for side in (64, 96)
    }
    assert {each.arm for each in distinct_trainings(made[1:2], made[:1])} == {"candidate"}
    assert distinct_trainings(made[:1], made[:1]) == []


@pytest.mark.parametrize(
    ("taught", "teacher", "baselines_teacher", "candidates_teacher"),
    [
        ("both", "yolo11s", "yolo11s", "yolo11s"),
        ("candidate", "yolo11s", "none", "yolo11s"),
        ("both", "baseline", "none", "baseline"),
        ("both", "none", "none", "none"),
    ],
)
def test_who_is_taught_makes_another_training(
    taught: str, teacher: str, baselines_teacher: str, candidates_teacher: str
) -> None:
    (trial,) = trials(changed("train", taught=taught, teacher=teacher), backbones=["mnv1_n"], seeds=[4, 5])
    made = list(trial.trainings())
    by_arm = {arm: {each.teacher for each in made if each.arm == arm} for arm in ("baseline", "candidate")}
    assert by_arm == {"baseline": {baselines_teacher}, "candidate": {candidates_teacher}}
    trained = [(each.backbone, each.seed) for each in made if each.arm == "teacher"]
    assert trained == ([("yolo11s", 4)] if teacher == "yolo11s" else [])  # once, with the first seed
