"""`mobileyolo confirm`: what was chosen on val is trained again on fresh seeds, and measured on test."""

from __future__ import annotations

import json
import re

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.pipeline.workspace import Result, Workspace
from tests.synthetic import write_dataset

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An experiment that was chosen on val, and a workspace whose params.yaml has moved on."""
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    workspace = Workspace.create(tmp_path_factory.mktemp("workspace"), dataset)
    workspace.dvc("exp", "run", "--name", "wider", "-S", "backbone=mnv1_s", "-S", "evaluate.split=val")
    workspace.run("git", "checkout", "--quiet", "params.yaml")
    return workspace


@pytest.fixture(scope="module")
def before(workspace: Workspace) -> bytes:
    return workspace.read("params.yaml")


@pytest.fixture(scope="module")
def confirmed(workspace: Workspace, before: bytes) -> Result:
    return workspace.run("python", "-m", "mobileyolo", "confirm", "wider", "--seeds", "1")


def test_it_trains_the_experiments_models_on_a_seed_that_nobody_used(workspace: Workspace, confirmed: Result) -> None:
    fresh = [run for run in workspace.runs() if run.data.tags.get("dvc.exp") == "confirm-wider"]
    assert sorted((run.data.params["backbone"], run.data.params["seed"]) for run in fresh) == [
        ("mnv1_s", "1"),
        ("yolo11n", "1"),
    ]
    assert {run.data.tags["evaluate.split"] for run in fresh} == {"test"}


def test_it_prints_the_comparison_and_how_often_these_images_were_used(confirmed: Result) -> None:
    assert "mAP50-95" in confirmed.output
    assert confirmed.output.count("Candidates that were measured on these test images before: 0") == 2


def test_it_leaves_the_workspace_as_it_was(workspace: Workspace, before: bytes, confirmed: Result) -> None:
    assert workspace.read("params.yaml") == before
    shown = json.loads(workspace.read("reports/comparison.json"))
    assert (shown["split"], shown["seeds"]) == ("val", [0])  # of the experiment that ran in the workspace


def test_it_confirms_once(workspace: Workspace, confirmed: Result) -> None:
    again = workspace.run("python", "-m", "mobileyolo", "confirm", "wider", check=False)
    assert again.code == 1
    assert re.search(r"wider was confirmed on \d{4}-\d\d-\d\d, as confirm-wider: inconclusive", again.output)


def test_an_unknown_experiment_is_named_with_the_choices(workspace: Workspace, confirmed: Result) -> None:
    unknown = workspace.run("python", "-m", "mobileyolo", "confirm", "widr", check=False)
    assert "error: 'widr': no such experiment; choose one of " in unknown.output
    assert "wider" in unknown.output


def test_show_names_the_experiment_that_it_shows_and_those_that_are_newer(
    workspace: Workspace, confirmed: Result
) -> None:
    def shown() -> list[str]:
        said = workspace.run("python", "-m", "mobileyolo", "show").output.splitlines()
        return [line for line in said if "confirm-wider" in line or "is of the experiment" in line]

    own, newer = shown()
    assert own == "This comparison is of the experiment wider."
    assert newer.startswith("  confirm-wider  inconclusive, provisional: ")
    workspace.dvc("exp", "apply", "confirm-wider")
    assert shown() == ["This comparison is of the experiment confirm-wider."]
    workspace.dvc("exp", "apply", "wider")


def test_a_dataset_without_a_test_split_has_nothing_to_confirm_on(workspace: Workspace, confirmed: Result) -> None:
    file = workspace.path / "data/dataset.yaml"
    card = file.read_text(encoding="utf-8")
    cut = re.sub(r"  test:\n(    .*\n)+", "", card)
    assert cut != card
    file.unlink()  # it may be a link into DVC's cache
    file.write_text(cut, encoding="utf-8")
    refused = workspace.run("python", "-m", "mobileyolo", "confirm", check=False)
    assert "the dataset has no 'test', only" in refused.output


def test_a_model_that_dvc_has_collected_is_still_in_mlflows_registry(
    workspace: Workspace, confirmed: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The confirmed candidate, of which the workspace has nothing."""
    address = f"sqlite:///{(workspace.path / 'mlflow.db').as_posix()}"
    client = MlflowClient(address)
    (registered,) = client.search_registered_models()
    client.set_registered_model_alias(registered.name, "champion", registered.aliases["candidate"])
    before = set(workspace.path.glob(".dvc/cache/files/md5/*/*"))
    workspace.dvc("gc", "--workspace", "--force")
    assert set(workspace.path.glob(".dvc/cache/files/md5/*/*")) < before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    champion = mlflow.pyfunc.load_model(f"models:/{registered.name}@champion")
    assert len(champion.predict(np.zeros((1, 64, 64, 3), np.uint8), params={"conf": 1e-6}))
