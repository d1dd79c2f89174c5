from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mobileyolo import experiments, tracking
from mobileyolo.commands import confirm
from mobileyolo.core.errors import DatasetError, UserError
from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE
from mobileyolo.core.records import DatasetCard, SplitCount
from mobileyolo.experiments import overrides
from mobileyolo.leaderboard.runs import TrackedModel
from tests.synthetic_comparison import make_comparison

ROOT = Path(__file__).parents[3]
PARAMS: Mapping[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
COMPARISON = make_comparison()
CARD = DatasetCard(digest=COMPARISON.data_digest, names=("square",), splits={"test": SplitCount(images=2, boxes=4)})


@dataclass(frozen=True)
class Stored:
    """An experiment as DVC stores it."""

    name: str
    params: Mapping[str, Any]
    card: DatasetCard = CARD
    date: str = "2026-11-25"

    def read(self, path: Path) -> str:
        return {
            DATASET_FILE: json.dumps(self.card.model_dump()),
            COMPARISON_FILE: COMPARISON.model_dump_json(),
        }[path]


def changed(key: str, value: object) -> Mapping[str, Any]:
    """The shipped parameters, one of them changed."""
    params = copy.deepcopy(dict(PARAMS))
    section, _, name = key.rpartition(".")
    (params[section] if section else params)[name] = value
    return params


@dataclass
class World:
    """What DVC and MLflow's store hold, and what was run."""

    stored: list[Stored]
    models: list[TrackedModel]
    ran: list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A workspace with the shipped parameters, and one experiment with another backbone."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    CARD.write(DATASET_FILE)
    world = World([Stored("wider", changed("backbone", "mnv1_s"))], [], [])

    def run_beside(name: str, wanted: Mapping[str, Any], _present: Mapping[str, Any]) -> None:
        world.ran.append((name, wanted))
        world.stored.append(Stored(name, wanted))

    monkeypatch.setattr(experiments, "all_experiments", lambda: world.stored)
    monkeypatch.setattr(experiments, "run_beside", run_beside)
    monkeypatch.setattr(tracking, "read_models", lambda _digest: world.models)
    return world


def logged(seed: int, **tags: str) -> TrackedModel:
    return TrackedModel(("mnv1_n",), seed, {}, {"arm": "candidate"} | tags, {})


def test_no_seed_is_one_that_an_experiment_or_the_store_has_used(world: World) -> None:
    world.stored.append(Stored("more", changed("seeds", [1, 3])))
    world.models = [logged(4)]
    confirm.run("wider", seeds=3)
    ((name, params),) = world.ran
    assert (name, params["backbone"], params["seeds"]) == ("confirm-wider", "mnv1_s", [2, 5, 6])


def test_the_grid_of_a_study_stays_the_workspaces(world: World) -> None:
    world.stored = [Stored("chosen", changed("study.recipes", [{"optimizer": "SGD"}, {}]))]
    confirm.run("chosen", seeds=1)
    assert not any("study" in each for each in overrides(world.ran[0][1], PARAMS))


def test_an_interrupted_confirmation_goes_on_with_its_own_seeds(world: World) -> None:
    world.models = [logged(1, **{"dvc.exp": "confirm-wider"})]
    confirm.run("wider", seeds=2)
    assert world.ran[0][1]["seeds"] == [1, 2]


def test_what_was_chosen_on_val_is_measured_on_test(world: World) -> None:
    world.stored = [Stored("chosen", changed("evaluate.split", "val"))]
    confirm.run("chosen", seeds=1)
    assert world.ran[0][1]["evaluate"]["split"] == "auto"


def test_without_a_name_the_workspace_is_confirmed(world: World) -> None:
    confirm.run(None, seeds=1)
    assert world.ran[0][1]["backbone"] == PARAMS["backbone"]


def test_candidates_that_were_measured_on_test_before_are_counted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.models = [logged(0, **{"measured.test": "true"}), logged(0, **{"evaluate.split": "val"})]
    confirm.run("wider", seeds=1)
    assert "Candidates that were measured on these test images before: 1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "value"), [("seeds", [7]), ("evaluate.split", "val"), ("compare.margin", 0.5), ("latency.rounds", 6)]
)
def test_other_seeds_split_or_limits_make_no_other_experiment(world: World, key: str, value: object) -> None:
    world.stored = [Stored("first", PARAMS), Stored("second", changed(key, value))]
    confirm.run("first", seeds=1)
    with pytest.raises(UserError, match=f"second was confirmed on 2026-11-25, as confirm-first: {COMPARISON.verdict};"):
        confirm.run("second", seeds=1)


@pytest.mark.parametrize(("key", "value"), [("backbone", "mnv1_m"), ("train.epochs", 99), ("init.detector", "a.pt")])
def test_another_backbone_recipe_or_start_can_be_confirmed_too(world: World, key: str, value: object) -> None:
    world.stored = [Stored("first", PARAMS), Stored("second", changed(key, value))]
    for name in ("first", "second"):
        confirm.run(name, seeds=1)
    assert [name for name, _ in world.ran] == ["confirm-first", "confirm-second"]


def test_the_same_parameters_on_other_data_can_be_confirmed_too(world: World) -> None:
    world.stored = [Stored("first", PARAMS), Stored("moved", PARAMS, CARD.model_copy(update={"digest": "other"}))]
    for name in ("first", "moved"):
        confirm.run(name, seeds=1)
    assert len(world.ran) == 2


def test_without_a_test_split_nothing_is_trained(world: World) -> None:
    card = CARD.model_copy(update={"splits": {"val": SplitCount(images=2, boxes=4)}})
    world.stored = [Stored("wider", PARAMS, card)]
    with pytest.raises(DatasetError, match="the dataset has no 'test', only val"):
        confirm.run("wider", seeds=1)
    assert world.ran == []


def test_only_what_differs_is_set_and_a_folder_is_named_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = {**changed("data.dir", "it's mine"), "seeds": [4, 5]}
    assert list(overrides(wanted, PARAMS)) == [
        "seeds=[4,5]",
        f"data.dir='{tmp_path.as_posix()}/it\\'s mine'",
    ]
    assert list(overrides(PARAMS, PARAMS)) == []


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_dataset_is_named_as_it_is_written_and_not_by_where_a_link_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's experiment is named after the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    Path("helmets").symlink_to("store")
    assert list(overrides(changed("data.dir", "helmets"), PARAMS)) == [f"data.dir={tmp_path}/helmets"]
