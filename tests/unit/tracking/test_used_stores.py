"""Stores that people have used: by hand, for other projects, behind a login."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import threading
import warnings
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mobileyolo.core.results import ArmResult
from mobileyolo.tracking import Tracker, read_models
from mobileyolo.tracking.descriptions import of_experiment
from mobileyolo.tracking.pages import VIEW_TAG, comparison_view
from mobileyolo.tracking.store import active_experiments, open_store
from tests.synthetic_results import make_metrics, make_statistics
from tests.unit.tracking.listed import loadable
from tests.unit.tracking.processes import CARD, HISTORY, PLAN, RECORD, log_epochs

NAME = f"shapes-{CARD.digest[:8]}"
RESULT = ArmResult(RECORD, make_metrics(), make_statistics(0, images=5))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "best.pt"
    path.write_bytes(b"weights")
    return path


def train() -> None:
    """A training that is logged without a warning."""
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        log_epochs(live, range(1, 5))
        live.finish(RECORD)


def log(weights: Path) -> None:
    """An evaluation that is logged without a warning."""
    tracker = Tracker.open("shapes", CARD)
    tracker.log_evaluation(RESULT, HISTORY, weights)
    assert not tracker.has_failed


def experiment(store: MlflowClient, name: str = NAME) -> Experiment:
    return store.get_experiment_by_name(name)


def runs(store: MlflowClient, name: str = NAME) -> list[Run]:
    return list(store.search_runs([experiment(store, name).experiment_id]))


def test_a_new_experiment_has_its_description_and_its_view(store: MlflowClient) -> None:
    Tracker.open("shapes", CARD)
    made = experiment(store)
    assert made.tags["mlflow.note.content"] == of_experiment("shapes", CARD, made.experiment_id)
    assert made.tags[VIEW_TAG] == comparison_view()


def test_an_experiment_of_before_gets_the_view_and_keeps_its_description(store: MlflowClient) -> None:
    number = store.create_experiment(NAME, tags={"mlflow.note.content": "mine"})
    Tracker.open("shapes", CARD)
    assert experiment(store).tags == {"mlflow.note.content": "mine", VIEW_TAG: comparison_view()}
    store.set_experiment_tag(number, VIEW_TAG, "changed by its owner")
    Tracker.open("shapes", CARD)
    assert experiment(store).tags[VIEW_TAG] == "changed by its owner"


def test_mlflow_keeps_a_deleted_experiments_name_and_restores_all_runs_with_it(store: MlflowClient) -> None:
    """So ours neither takes the name again nor restores what somebody has deleted."""
    number = store.create_experiment("used")
    store.delete_run(store.create_run(number).info.run_id)
    store.delete_experiment(number)
    with pytest.raises(MlflowException, match="already exists"):
        store.create_experiment("used")
    store.restore_experiment(number)
    assert len(runs(store, "used")) == 1


def test_where_the_experiment_was_deleted_runs_go_to_one_beside_it_which_is_said_once(store: MlflowClient) -> None:
    train()
    for name, beside in ((NAME, f"{NAME}-2"), (f"{NAME}-2", f"{NAME}-3")):
        number = experiment(store, name).experiment_id
        store.delete_experiment(number)
        said = f"somebody has deleted the experiment {name}, so runs go to a new one, {beside}; .* {number}` brings"
        with pytest.warns(UserWarning, match=said):
            train()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train()
        assert len(runs(store, beside)) == 2
        assert experiment(store, beside).artifact_location == experiment(store, name).artifact_location
    store.restore_experiment(experiment(store).experiment_id)
    train()
    assert [len(runs(store, name)) for name in (NAME, f"{NAME}-3")] == [2, 2]


def test_a_run_that_was_deleted_is_logged_again_from_the_files(store: MlflowClient, weights: Path) -> None:
    train()
    (before,) = runs(store)
    store.delete_run(before.info.run_id)
    log(weights)
    (after,) = runs(store)
    assert after.info.run_id != before.info.run_id
    assert (after.info.status, after.data.tags["replayed"], after.data.tags["stage"]) == (
        "FINISHED",
        "true",
        "evaluated",
    )
    assert store.get_run(before.info.run_id).info.lifecycle_stage == "deleted"


def test_a_model_whose_files_are_gone_is_logged_again(workspace: Path, store: MlflowClient, weights: Path) -> None:
    log(weights)
    shutil.rmtree(workspace / "mlruns")
    log(weights)
    (run,) = runs(store)
    assert loadable(store, run)


@pytest.mark.parametrize("name", ["MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"])
def test_what_the_shell_sets_for_mlflows_own_runs_changes_nothing(
    store: MlflowClient, weights: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """MLflow reads these where a call names no experiment or run; ours name theirs."""
    other = store.create_run(store.create_experiment("other"))
    values = {
        "MLFLOW_EXPERIMENT_NAME": "other",
        "MLFLOW_EXPERIMENT_ID": other.info.experiment_id,
        "MLFLOW_RUN_ID": other.info.run_id,
    }
    monkeypatch.setenv(name, values[name])
    train()
    log(weights)
    (run,) = runs(store)
    assert run.data.tags["stage"] == "evaluated"
    (untouched,) = runs(store, "other")
    assert (untouched.info.status, untouched.data.to_dictionary()) == ("RUNNING", other.data.to_dictionary())


def test_an_address_that_is_empty_is_none(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As MLflow itself takes it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    train()
    assert len(runs(store)) == 1


def test_a_run_of_another_project_is_left_as_it_is(store: MlflowClient) -> None:
    theirs = store.create_run(store.create_experiment("theirs"), tags={"host": platform.node()})
    train()
    assert store.get_run(theirs.info.run_id).info.status == "RUNNING"


@pytest.mark.parametrize("tag", ["arm", "recipe.digest", "stage", "data.digest", "weights.digest"])
def test_a_tag_that_somebody_deleted_stops_nothing(store: MlflowClient, weights: Path, tag: str) -> None:
    log(weights)
    store.delete_tag(runs(store)[0].info.run_id, tag)
    read_models(CARD.digest)
    log(weights)


def test_every_experiment_of_a_large_store_is_looked_at(workspace: Path, store: MlflowClient) -> None:
    """MLflow gives a thousand at once."""
    with sqlite3.connect(workspace / "mlflow.db") as database:
        rows = [(number, f"other {number}", "mlruns", "active", "default") for number in range(1, 1201)]
        columns = "experiment_id, name, artifact_location, lifecycle_stage, workspace"
        database.executemany(f"INSERT INTO experiments ({columns}) VALUES (?, ?, ?, ?, ?)", rows)  # noqa: S608
    database.close()
    assert len(store.search_experiments()) == 1000
    assert len(active_experiments(store)) == 1201


class Door(BaseHTTPRequestHandler):
    """A server that lets in one login, and that one only to read."""

    def do_GET(self) -> None:
        self._answer(200, '{"experiments": []}')

    def do_POST(self) -> None:
        self._answer(403, '{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}')

    def _answer(self, status: int, body: str) -> None:
        if self.headers["Authorization"] not in {
            "Basic " + b64encode(b"ada:secret").decode(),
            "Bearer secret",
        }:
            status, body = 401, "<html>You are not authenticated" + " " * 10_000
        elif "search" in self.path:
            status, body = 200, '{"experiments": []}'
        elif "get-by-name" in self.path:
            status, body = 404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def door(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The port of a server that wants a login."""
    server = HTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HOME", str(workspace))  # MLflow reads ~/.mlflow/credentials
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    yield str(server.server_port)
    server.shutdown()
    server.server_close()


LOGINS = [
    {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "secret"},
    {"MLFLOW_TRACKING_TOKEN": "secret"},
]


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("login", LOGINS, ids=["password", "token"])
def test_a_server_that_wants_a_login_says_how_and_lets_it_in(
    monkeypatch: pytest.MonkeyPatch, login: dict[str, str]
) -> None:
    with pytest.warns(UserWarning, match=r"the server wants a login, set .*401") as warned:
        Tracker.open("shapes", CARD)
    (message,) = (str(warning.message) for warning in warned)
    assert [name for name in login if name not in message] == []
    assert len(message) < 2_000
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    open_store()


@pytest.mark.usefixtures("door")
def test_a_login_that_may_not_write_is_a_warning_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOGINS[0].items():
        monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match=r"MLFLOW_TRACKING_TOKEN may not do that; .*Permission denied"):
        tracker = Tracker.open("shapes", CARD)
    assert tracker.has_failed


def test_a_password_in_an_address_is_not_shown(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.warns(UserWarning, match=r"127\.0\.0\.1") as warned:
        Tracker.open("shapes", CARD)
    assert [str(each.message) for each in warned if "secret" in str(each.message)] == []
