"""The services of compose.yaml under real work: PostgreSQL, MLflow's server with a login, artifacts and remote on S3.

First one workspace and a clone of it, then a study on three nodes, of which one is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mobileyolo.experiments import Remote
from tests.pipeline.nodes import PATIENCE, Site, opened, results, trains, wait_until
from tests.pipeline.services import Services, shared
from tests.pipeline.workspace import Result, Workspace
from tests.synthetic import write_dataset

pytestmark = pytest.mark.cluster

REPRO = ("python", "-m", "dvc", "repro")
TRAININGS = ("train@baseline-0", "train@candidate-0")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=16, val=4, test=4)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    before = psutil.Process().children()
    with shared(tmp_path_factory.mktemp("services")) as services:
        servers = [each for each in psutil.Process().children() if each not in before]
        assert len(servers) == 3
        yield services
        started = [each for server in servers for each in (server, *server.children(recursive=True))]
    assert [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, dataset: Path, services: Services) -> Workspace:
    workspace = Workspace.create(tmp_path_factory.mktemp("workspace"), dataset)
    services.add_remote(workspace)
    workspace.run("git", "commit", "--quiet", "--all", "--message", "A remote")
    return workspace


@pytest.fixture(scope="module")
def first(workspace: Workspace, services: Services) -> Result:
    """The whole pipeline, whose results go to the remote."""
    done = workspace.run(*services.known(), *REPRO)
    workspace.dvc("push", "--run-cache")
    return done


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace, services: Services) -> Workspace:
    """Another workspace of the same commit, which knows the keys of the remote."""
    clone = Workspace(tmp_path_factory.mktemp("there") / "clone")
    workspace.run("git", "clone", "--quiet", str(workspace.path), str(clone.path))
    services.add_keys(clone)
    return clone


def test_runs_go_to_the_server_and_their_artifacts_to_its_storage(
    first: Result, workspace: Workspace, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(first.ran(stage) for stage in TRAININGS)
    for name, value in services.patient.items():
        monkeypatch.setenv(name, value)
    runs = workspace.runs(services.address)
    found = {run.data.params["backbone"]: (run.info.status, run.data.tags["stage"]) for run in runs}
    assert found == dict.fromkeys(("yolo11n", "mnv1_n"), ("FINISHED", "compared"))
    assert len(list(services.artifacts.rglob("best.pt"))) == 2
    assert not (workspace.path / "mlflow.db").exists()


def test_no_key_of_the_storage_is_in_git(workspace: Workspace, services: Services) -> None:
    tracked = workspace.run("git", "grep", "--fixed-strings", services.keys["secret_access_key"], check=False)
    assert (tracked.code, tracked.output) == (1, "")


def test_another_clone_pulls_what_was_trained(
    first: Result, workspace: Workspace, clone: Workspace, services: Services
) -> None:
    again = clone.run(*services.known(), *REPRO, "--pull")
    assert not any(again.ran(stage) for stage in TRAININGS)
    for arm in ("baseline", "candidate"):
        weights = f"models/{arm}/s0/best.pt"
        assert clone.read(weights) == workspace.read(weights)


def test_a_wrong_password_is_one_error_that_says_what_to_set(clone: Workspace, services: Services) -> None:
    wrong = services.known(**{"MLFLOW_TRACKING_PASSWORD": "another one"})
    told = clone.run(*wrong, "python", "-m", "mobileyolo", "leaderboard", check=False)
    assert told.code == 1
    assert told.output.count("error:") == 1
    assert "the server wants a login, set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in told.output
    assert "Traceback" not in told.output


def test_checkpoints_are_kept_on_the_storage_as_in_a_folder(
    workspace: Workspace, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.path)
    folder = Remote.default().folder(workspace.path, "some job")
    assert folder.names() == []
    folder.clear()
    kept, fetched = tmp_path / "kept.pt", tmp_path / "below/fetched.pt"
    kept.write_bytes(b"weights")
    for name in ("one/epoch-1.pt", "one/epoch-2.pt", "two/epoch-1.pt"):
        folder.upload(kept, name)
    folder.remove("one/epoch-1.pt")
    assert folder.names() == ["one/epoch-2.pt", "two/epoch-1.pt"]
    folder.download("one/epoch-2.pt", fetched)
    assert fetched.read_bytes() == b"weights"
    folder.clear()
    assert folder.names() == []
    assert list((services.storage / "mobileyolo").rglob("*.pt")) == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, dataset: Path, services: Services) -> Iterator[Site]:
    """Four trials on three nodes."""
    grid = {"backbones": ["mnv1_n", "mnv1_s"], "imgsz": [64, 96], "seeds": [0]}
    folder = tmp_path_factory.mktemp("site")
    with opened(folder, dataset, 3, services, study=grid, train={"epochs": 8}) as site:
        yield site


@pytest.fixture(scope="module")
def lost(site: Site) -> str:
    """What the study said to its end, with a node that was lost while a candidate was trained."""
    study = site.start()
    wait_until(lambda: any("candidate" in path.parent.name for path in site.copies()), study)
    node = next(each for each in site.cluster.worker_nodes if trains(each))
    site.cluster.remove_node(node, allow_graceful=False)
    assert study.wait(PATIENCE) == 0, site.told.read_text(encoding="utf-8")
    return site.told.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def here(site: Site, lost: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same commit, studied by the engine `dvc` in a clone that has no remote's keys, and so trains by itself."""
    clone = Workspace(tmp_path_factory.mktemp("here") / "clone")
    site.workspace.run("git", "clone", "--quiet", str(site.workspace.path), str(clone.path))
    clone.run("python", "-m", "mobileyolo", "study")
    return clone


def test_a_study_ends_with_all_trials_although_a_node_was_lost(site: Site, lost: str) -> None:
    assert "4 of 4 trials done" in lost
    assert site.copies() == []


def test_the_server_has_each_model_of_the_study_once(
    site: Site, lost: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.patient.items():
        monkeypatch.setenv(name, value)
    runs = [run.data for run in site.workspace.runs(services.address) if run.data.tags.get("stage") == "compared"]
    params = [run.params for run in runs if run.params["train.epochs"] == "8"]  # not those of the other workspace
    models = sorted((each["backbone"], each["train.imgsz"]) for each in params)
    assert models == [(name, side) for name in ("mnv1_n", "mnv1_s", "yolo11n") for side in ("64", "96")]


def test_weights_and_metrics_are_those_of_the_engine_dvc(site: Site, lost: str, here: Workspace) -> None:
    expected = results(here)
    assert len(expected) == 16
    assert results(site.workspace) == expected
