from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import alembic.command
import mlflow.db
import pytest
from mlflow.store.db import utils
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from mobileyolo.tracking import Tracker
from mobileyolo.tracking.store import open_store
from tests.unit.tracking.processes import CARD, PLAN, RECORD, open_and_log, start

ODD_NAMES = ["two words", "100%", "a%20b", "a#b", "ä 数据", "a&b=c+d"]
if sys.platform != "win32":  # where no file can have such a name
    ODD_NAMES += ["a?b", "a:b", 'it\'s "one"']


def statuses(store: MlflowClient) -> list[str]:
    runs = store.search_runs([each.experiment_id for each in store.search_experiments()])
    return [run.info.status for run in runs]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_kill_while_the_database_is_created_ruins_nothing(workspace: Path) -> None:
    """Six kills, at the very beginning and later; then four processes at once open what they left."""
    rng = random.Random(0)
    finished = workspace / "mlflow.db"
    killed_at_it = 0
    for number in (signal.SIGKILL, signal.SIGINT) * 3:
        process = start(open_and_log)
        while not list(workspace.rglob("mlflow.db")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.5) if killed_at_it else 0)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(process.pid or 0, number)
        process.join()
        killed_at_it += not finished.exists()
    assert killed_at_it
    processes = [start(open_and_log) for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    logged = statuses(open_store())
    assert logged.count("FINISHED") >= 4
    assert sorted(path.name for path in workspace.iterdir()) == [".mobileyolo", "mlflow.db"]
    assert [path.name for path in (workspace / ".mobileyolo").iterdir() if path.is_dir()] == []


def test_what_a_killed_process_left_in_the_making_is_removed(workspace: Path, empty_store: Path) -> None:
    left = workspace / ".mobileyolo" / "mlflow.new"
    left.mkdir(parents=True)
    for name in ("mlflow.db", "mlflow.db-journal"):
        (left / name).write_bytes(b"half")
    shutil.copy(empty_store, workspace / "mlflow.db")
    open_store()
    assert not left.exists()


def not_a_database(path: Path) -> None:
    path.write_text("no database, but text of some length\n" * 100, encoding="utf-8")


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwritten_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8192)


def execute(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return change


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (not_a_database, r"mlflow\.db is damaged \(file is not a database\)"),
    (cut_off, r"mlflow\.db is damaged \(database disk image is malformed\)"),
    (overwritten_in_the_middle, r"mlflow\.db is damaged \("),
    (execute("DROP TABLE alembic_version"), r"mlflow\.db lacks tables of MLflow"),
    (execute("DELETE FROM alembic_version"), r"mlflow\.db lacks tables of MLflow"),
    (execute("DROP TABLE metrics"), r"mlflow\.db lacks tables of MLflow"),
    (
        # As after a kill of MLflow's own creation; the revision is its first.
        execute("UPDATE alembic_version SET version_num = '451aebb31d03'", "DELETE FROM experiments"),
        r"mlflow\.db lacks tables of MLflow",
    ),
    (
        execute("UPDATE alembic_version SET version_num = 'ffffffffffff'"),
        r"mlflow\.db was made by a newer MLflow \(its schema ffffffffffff is unknown\); update MLflow, or ",
    ),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_a_database_that_cannot_be_used_is_named_and_left_as_it_is(
    store: MlflowClient, workspace: Path, damage: Callable[[Path], None], said: str
) -> None:
    path = workspace / "mlflow.db"
    damage(path)
    before = path.read_bytes()
    remedy = rf"move {re.escape(str(path))} away, and a new one is created"
    with pytest.warns(UserWarning, match=rf"opening the store failed \(ConnectionError: .*{said}.*{remedy}"):
        Tracker.open("shapes", CARD)
    assert path.read_bytes() == before


def test_a_journal_without_its_database_is_never_applied_to_a_new_one(workspace: Path) -> None:
    """Somebody moved the database away, and forgot what SQLite had written beside it."""
    journal = workspace / "mlflow.db-journal"
    journal.write_bytes(b"pages of another database")
    with pytest.raises(ConnectionError, match=r"mlflow\.db-journal belongs to a database that is gone: move it away"):
        open_store()
    assert [path.name for path in workspace.iterdir() if path.is_file()] == ["mlflow.db-journal"]


def test_an_older_mlflows_database_is_not_damaged_and_opens_after_the_upgrade_that_is_named(
    store: MlflowClient, workspace: Path
) -> None:
    engine = create_engine(URL.create("sqlite", database=str(workspace / "mlflow.db")))
    config = utils._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "-1")
    engine.dispose()
    with pytest.raises(ConnectionError, match=r"mlflow\.db was made by an older MLflow .* keep a copy") as raised:
        open_store()
    assert "damaged" not in str(raised.value)
    (address,) = re.findall(r'`mlflow db upgrade "(.*)"`', str(raised.value))
    mlflow.db.upgrade.callback(address)
    assert [each.name for each in open_store().search_experiments()] == ["Default"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_workspace_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path, name: str
) -> None:
    workspace = tmp_path / name
    workspace.mkdir()
    shutil.copy(empty_store, workspace / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    monkeypatch.chdir(workspace)
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        live.finish(RECORD)
    with sqlite3.connect(workspace / "mlflow.db") as connection:
        ((run_id, status),) = connection.execute("SELECT run_uuid, status FROM runs").fetchall()
    connection.close()
    assert status == "FINISHED"
    kept, fetched = tmp_path / "kept.txt", tmp_path / "fetched"
    kept.write_text("kept", encoding="utf-8")
    fetched.mkdir()
    client = open_store()
    client.log_artifact(run_id, str(kept), "folder")
    path = client.download_artifacts(run_id, "folder/kept.txt", str(fetched))
    assert Path(path).read_text(encoding="utf-8") == "kept"
    assert len(list((workspace / "mlruns").rglob("kept.txt"))) == 1
    assert sorted(each.name for each in workspace.iterdir()) == [".mobileyolo", "mlflow.db", "mlruns"]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, "fetched", "kept.txt"])


def test_a_database_is_created_whatever_its_path_and_in_place_of_an_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / " ä%20%".join(ODD_NAMES[-4:]).replace(":", "")
    (workspace / "stores").mkdir(parents=True)
    (workspace / "stores" / "own.db").touch()
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///stores/own.db?timeout=30")
    open_store()
    assert [path.name for path in (workspace / "stores").iterdir() if path.is_file()] == ["own.db"]
    assert [each.name for each in tmp_path.iterdir()] == [workspace.name]
