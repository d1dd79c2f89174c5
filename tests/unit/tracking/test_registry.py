from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from mlflow.cli import cli
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mobileyolo.core.backbones import Arm
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking import Tracker
from mobileyolo.tracking.registry import registry_name
from tests.synthetic_comparison import make_comparison, make_inputs
from tests.synthetic_results import make_metrics, with_training
from tests.unit.tracking.processes import CARD, HISTORY
from tests.unit.tracking.weights import write_weights

NAME = "shapes_1_-01234567"  # of the folder below
FOLDER = "data/shapes (1)"
BY_SEED = {0: 0.4, 1: 0.6, 2: 0.5}  # mAP50-95 on val


class World:
    """A store, and comparisons that are logged to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
        self.store = MlflowClient(self.address)
        self.weights = folder / "best.pt"
        write_weights(self.weights, ("square", "bar"))

    def compare(self, candidate: str, baseline: str = "yolo11n", seeds: int = 3, **changes: Any) -> str | None:
        """Log a comparison of trained models, and say what was said of the champion."""
        names: dict[Arm, str] = {"baseline": baseline, "candidate": candidate}
        arms = {arm: self.models(arm, backbone, seeds) for arm, backbone in names.items()}
        comparison = make_comparison(seeds, data_digest=CARD.digest, **changes)
        summaries: dict[str, Any] = {
            arm: getattr(comparison, arm).model_copy(update={"backbone": names[arm]}) for arm in names
        }
        tracker = Tracker.open(FOLDER, CARD)
        for results in arms.values():
            for result in results:
                tracker.log_evaluation(result, HISTORY, self.weights)
        return tracker.register(arms, comparison.model_copy(update=summaries))

    @staticmethod
    def models(arm: Arm, backbone: str, seeds: int) -> list[ArmResult]:
        (made,) = make_inputs().results[arm]
        models = []
        for seed in range(seeds):
            trained = with_training(
                made, backbone=backbone, seed=seed, data_digest=CARD.digest, weights_digest=f"{backbone} {seed}"
            )
            models.append(ArmResult(trained.training, make_metrics(val_map50_95=BY_SEED[seed]), trained.statistics))
        return models

    def versions(self) -> list[ModelVersion]:
        found = self.store.search_model_versions(f"name = '{NAME}'", order_by=["version_number ASC"])
        return list(found)

    def pointed(self) -> dict[str, tuple[str, str]]:
        """Backbone and seed of each alias."""
        aliases: Mapping[str, str] = self.store.get_registered_model(NAME).aliases
        versions = {alias: self.store.get_model_version(NAME, number) for alias, number in aliases.items()}
        return {alias: (each.tags["backbone"], each.tags["seed"]) for alias, each in versions.items()}

    def load(self, alias: str, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", self.address)
        return mlflow.pyfunc.load_model(f"models:/{NAME}@{alias}")

    def run_of(self, version: ModelVersion) -> Run:
        return self.store.get_run(version.run_id)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[World]:
    """A store without runs, which is the default one; the present folder is another."""
    folder = tmp_path_factory.mktemp("a workspace")
    shutil.copy(empty_store, folder / "mlflow.db")
    elsewhere = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        for name in ("MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
            patch.delenv(name, raising=False)
        patch.chdir(elsewhere)
        yield World(folder)
        assert list(elsewhere.iterdir()) == []


@pytest.fixture(scope="module")
def world(empty: World) -> World:
    """After a provisional comparison, and one with all seeds, each logged twice."""
    for seeds in (1, 3):
        for _ in range(2):
            empty.compare("mnv1_n", seeds=seeds, verdict="worse")
    return empty


def test_each_compared_model_is_one_version_of_the_datasets_registered_model(world: World) -> None:
    versions = world.versions()
    assert [(each.tags["arm"], each.tags["backbone"], each.tags["seed"]) for each in versions] == [
        ("baseline", "yolo11n", "0"),
        ("candidate", "mnv1_n", "0"),
        ("baseline", "yolo11n", "1"),
        ("baseline", "yolo11n", "2"),
        ("candidate", "mnv1_n", "1"),
        ("candidate", "mnv1_n", "2"),
    ]
    for version in versions:
        run = world.run_of(version)
        (output,) = run.outputs.model_outputs
        assert version.source == f"models:/{output.model_id}"
        for tag in ("arm", "data.digest", "recipe.digest", "weights.digest"):
            assert version.tags[tag] == run.data.tags[tag]
        model = world.store.get_logged_model(output.model_id)
        assert NAME in model.tags["mlflow.modelVersions"]


def test_a_candidates_version_has_the_last_verdict(world: World) -> None:
    tags = [version.tags for version in world.versions()]
    told = {(each["arm"], each.get("verdict"), each.get("provisional"), each.get("compared.with")) for each in tags}
    assert told == {("baseline", None, None, None), ("candidate", "worse", "false", "yolo11n")}


def test_the_aliases_are_those_of_the_best_seed_on_val(world: World) -> None:
    assert world.pointed() == {
        "baseline": ("yolo11n", "1"),
        "candidate": ("mnv1_n", "1"),
        "champion": ("yolo11n", "1"),
    }


def test_the_registered_model_and_the_champion_say_what_they_are(world: World) -> None:
    registered = world.store.get_registered_model(NAME)
    assert registered.description.startswith("Models of the dataset `shapes (1)` that were compared")
    champion = world.store.get_model_version_by_alias(NAME, "champion")
    assert champion.description == "Champion: mnv1_n against yolo11n is worse."


def test_the_champion_can_be_loaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.load("champion", monkeypatch).predict(np.zeros((1, 64, 64, 3), np.uint8), params={"conf": 1e-6})
    assert set(found["name"]) <= {"square", "bar"}
    assert len(found)


def test_what_becomes_of_the_champion_is_said_with_the_reason(world: World) -> None:
    told = [
        world.compare("mnv1_s", seeds=1, verdict="better"),
        world.compare("mnv1_s", seeds=2, verdict="better"),
        world.compare("mnv1_m", "mnv1_n", seeds=2, verdict="better"),
        world.compare("mnv1_m", "mnv1_s", seeds=2, verdict="better"),
    ]
    champions = [sentence.partition(": ")[2] for sentence in told if sentence]
    numbers = {tuple(each.tags[tag] for tag in ("arm", "backbone", "seed")): each.version for each in world.versions()}
    first, second, third = (
        numbers[arm, backbone, "1"]
        for arm, backbone in (("baseline", "yolo11n"), ("candidate", "mnv1_s"), ("candidate", "mnv1_m"))
    )
    assert champions == [
        f"yolo11n (version {first}); the comparison is provisional: it has one seed",
        f"mnv1_s (version {second}); mnv1_s against yolo11n is better",
        f"mnv1_s (version {second}); it was not compared with mnv1_n by this recipe; compare mnv1_m with the baseline "
        "mnv1_s",
        f"mnv1_m (version {third}); mnv1_m against mnv1_s is better",
    ]


def test_a_model_that_was_deleted_and_logged_again_takes_its_versions_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.store.get_model_version_by_alias(NAME, "champion")
    count = len(world.versions())
    world.store.delete_logged_model(before.source.removeprefix("models:/"))
    world.compare("mnv1_m", "mnv1_s", seeds=2, verdict="worse")
    after = world.store.get_model_version_by_alias(NAME, "champion")
    assert (after.version, len(world.versions())) != (before.version, count + 1)
    assert after.tags.items() >= {key: before.tags[key] for key in ("backbone", "seed", "champion.against")}.items()
    world.load("champion", monkeypatch)


def test_a_version_of_somebody_elses_is_left_alone(world: World) -> None:
    mine = world.store.create_model_version(NAME, "file:///elsewhere", tags=world.versions()[0].tags)
    world.compare("mnv1_m", "mnv1_s", seeds=2, verdict="worse")
    assert mine.version in {version.version for version in world.versions()}
    world.store.delete_model_version(NAME, mine.version)


def test_a_registry_that_fails_is_a_warning(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise mlflow.MlflowException("there is no registry")

    monkeypatch.setattr(MlflowClient, "search_model_versions", refuse)
    with pytest.warns(UserWarning, match=r"registering the models failed \(MlflowException: there is no registry\)"):
        assert world.compare("mnv1_n", verdict="worse") is None


def test_the_users_own_address_of_the_store_stays_set(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.address)
    world.compare("mnv1@0.75", seeds=1)
    assert os.environ["MLFLOW_TRACKING_URI"] == world.address


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("digits-1ce3abf1", "digits-1ce3abf1"),
        ("安全帽 v1.2-1ce3abf1", "安全帽_v1.2-1ce3abf1"),
        ("a:b@c#d?e%20'f-1ce3abf1", "a_b_c_d_e_20_f-1ce3abf1"),
        ("x" * 300 + "-1ce3abf1", "x" * 247 + "-1ce3abf1"),
    ],
)
def test_a_name_is_one_that_mlflow_takes(name: str, taken: str) -> None:
    from mlflow.utils.validation import _validate_model_name

    assert registry_name(name) == taken
    _validate_model_name(taken)


def test_datasets_of_one_folder_name_are_registered_apart(world: World) -> None:
    other = CARD.model_copy(update={"digest": "f" * 64})
    tracker = Tracker.open(FOLDER, other)
    (result,) = world.models("baseline", "yolo11n", 1)
    tracker.log_evaluation(result, HISTORY, world.weights)
    arms: dict[Arm, list[ArmResult]] = {"baseline": [result], "candidate": [result]}
    assert "shapes_1_-ffffffff: none yet;" in str(tracker.register(arms, make_comparison()))
    assert {model.name for model in world.store.search_registered_models()} == {NAME, "shapes_1_-ffffffff"}


def collect_garbage(world: World) -> None:
    """`mlflow gc`, in this process, since MLflow takes seconds to import."""
    arguments = ["gc", "--backend-store-uri", world.address]
    told = CliRunner().invoke(cli, arguments, env={"MLFLOW_TRACKING_URI": world.address})
    assert told.exit_code == 0, told.output


def baseline_of_a_comparison(world: World) -> ModelVersion:
    world.compare("mnv1_n", verdict="worse")
    return world.store.get_model_version_by_alias(NAME, "baseline")


def test_a_version_outlives_the_run_that_it_came_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    version = baseline_of_a_comparison(world)
    world.store.delete_run(version.run_id)
    collect_garbage(world)
    with pytest.raises(mlflow.MlflowException, match="not found"):
        world.store.get_run(version.run_id)
    world.load("baseline", monkeypatch)
    again = baseline_of_a_comparison(world)  # in a run of its own
    assert again.version == version.version


def test_a_version_whose_model_was_collected_can_be_loaded_once_that_is_logged_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = baseline_of_a_comparison(world)
    world.store.delete_logged_model(version.source.removeprefix("models:/"))
    collect_garbage(world)
    with pytest.raises(mlflow.MlflowException, match="No such artifact"):
        world.load("baseline", monkeypatch)
    assert baseline_of_a_comparison(world).version != version.version
    world.load("baseline", monkeypatch)


def test_a_version_outlives_the_experiment_of_its_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    version = baseline_of_a_comparison(world)
    model = world.store.get_logged_model(version.source.removeprefix("models:/"))
    world.store.delete_experiment(model.experiment_id)
    collect_garbage(world)
    world.load("baseline", monkeypatch)
    with pytest.raises(mlflow.MlflowException, match="not found"):
        world.store.get_logged_model(model.model_id)
