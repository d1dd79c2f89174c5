"""A tracking server that is down, goes down, and comes back, for real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mobileyolo.core.records import TrainingRecord
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking import Tracker, study_run
from tests.synthetic_comparison import make_comparison, make_inputs
from tests.synthetic_results import make_metrics, make_statistics, with_training
from tests.unit.tracking.listed import loadable
from tests.unit.tracking.processes import CARD, HISTORY, PLAN, RECORD, log_epochs, pipe, start, train
from tests.unit.tracking.server import ADMIN, Server, free_port, wait_for
from tests.unit.tracking.weights import write_weights


@pytest.fixture
def login() -> bool:
    """Does the server want one?"""
    return False


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path, login: bool) -> Iterator[Server]:
    """A server that does not run yet, in a folder with an odd name."""
    workspace = tmp_path / "a%20b? #ü"
    workspace.mkdir()
    shutil.copy(empty_store, workspace / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    if login:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN[1])
    server = Server(workspace, login=login)
    yield server
    server.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_a_server_missed_is_there_once_it_is_back(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Three models: one is in the database before, one is trained without a server, one while it goes down."""
    kept, weights = tmp_path / "kept.txt", tmp_path / "best.pt"
    for file in (kept, weights):
        file.write_bytes(b"content")
    records = [RECORD.model_copy(update={"seed": seed, "weights_digest": f"weights {seed}"}) for seed in (1, 2)]
    train_whole(records[0])
    Tracker.open("shapes", CARD).log_export(records[0], HISTORY, {}, kept)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    with pytest.warns(UserWarning, match=r"opening the store failed .*`mobileyolo log`"):
        train_whole(records[1])

    server.start()
    ours, theirs = pipe()
    process = start(train, theirs, 2, False)
    assert ours.recv() == "ready"
    server.kill()
    ours.send("go on")
    process.join()
    assert process.exitcode == 0  # trained to its end

    server.start()
    tracker = Tracker.open("shapes", CARD)
    for record in (*records, RECORD):
        tracker.log_evaluation(ArmResult(record, make_metrics(), make_statistics(0, images=5)), HISTORY, weights)
    assert not tracker.has_failed
    client = MlflowClient(server.address)
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["seed"] for run in runs) == ["0", "1", "2"]
    for run in runs:
        assert (run.info.status, run.data.tags["stage"], run.data.tags.get("reason")) == ("FINISHED", "evaluated", None)
        for column, name in {"train_box_loss": "train/box_loss", "map50_95": "val/map50_95"}.items():
            points = client.get_metric_history(run.info.run_id, name)
            assert [(point.step, point.value) for point in points] == list(enumerate(HISTORY[column], start=1))
        assert run.data.metrics["map50_95"] == make_metrics().map50_95
        assert loadable(client, run)
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    (before,) = [run for run in runs if run.data.params["seed"] == "1"]
    path = client.download_artifacts(before.info.run_id, "export/kept.txt", str(fetched))
    assert Path(path).read_bytes() == b"content"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("login", [False, True], ids=["open", "login"])
def test_the_champion_and_a_study_are_on_a_server_that_keeps_the_files(
    server: Server, login: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights = tmp_path / "best.pt"
    write_weights(weights, ("square", "bar"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    server.start()
    if login:
        with monkeypatch.context() as stranger:
            stranger.setenv("MLFLOW_TRACKING_PASSWORD", "another one")
            with pytest.raises(MlflowException, match="401"):
                MlflowClient(server.address).search_experiments()
    tracker = Tracker.open("shapes", CARD)
    arms = {
        arm: [with_training(each, weights_digest=f"weights {number}") for number, each in enumerate(results)]
        for arm, results in make_inputs(seeds=2).results.items()
    }
    for result in (*arms["baseline"], *arms["candidate"]):
        tracker.log_evaluation(result, HISTORY, weights)
    for _ in range(2):
        said = tracker.register(arms, make_comparison(seeds=2, verdict="better"))
        assert said == "Champion of shapes-01234567: mnv1_n (version 3); mnv1_n against yolo11n is better"
    client = MlflowClient(server.address)
    versions = client.search_model_versions("name = 'shapes-01234567'")
    assert {version.source for version in versions} == {
        f"models:/{model.model_id}" for model in client.search_logged_models(["1"])
    }
    assert boxes_of_served("models:/shapes-01234567@champion", np.zeros((1, 64, 64, 3), np.uint8))
    with study_run("study-1") as study:
        for table in ("trial\n", "trial\na\n"):
            study.log({"study-a": {"weights 0", "weights 1"}}, "**found**", table)
    (parent,) = client.search_runs(["1"], "tags.`study.name` = 'study-1'")
    assert parent.info.status == "FINISHED"
    assert len(client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")) == 4
    path = client.download_artifacts(parent.info.run_id, "study.csv", str(tmp_path))
    assert Path(path).read_text(encoding="utf-8") == "trial\na\n"


def boxes_of_served(model: str, images: np.ndarray) -> list[dict[str, float]]:
    """Boxes that `mlflow models serve` returns for images (n, H, W, 3)."""
    port = free_port()
    command = ["models", "serve", "--model-uri", model, "--env-manager", "local", "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "mlflow", *command], start_new_session=True)
    try:
        wait_for(process, port, "/ping")
        body = json.dumps({"inputs": images.tolist(), "params": {"conf": 1e-6}})
        asked = HTTPConnection("127.0.0.1", port, timeout=60)
        asked.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = asked.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 200, told
        boxes: list[dict[str, float]] = told["predictions"]
        return boxes
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def train_whole(record: TrainingRecord) -> None:
    plan = PLAN.model_copy(update={"seed": record.seed})
    with Tracker.open("shapes", CARD).training(plan) as live:
        log_epochs(live, range(1, 5))
        live.finish(record)
