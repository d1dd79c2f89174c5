"""The command against a real store of MLflow's, a database that the stages have logged to."""

from __future__ import annotations

import csv
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from mobileyolo import commands
from mobileyolo.core.records import METRICS, DatasetCard, SplitCount
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking.dataset_runs import Runs
from mobileyolo.tracking.results import _comparison_metrics, _comparison_tags, evaluation_tags
from mobileyolo.verdict.records import Comparison
from tests.synthetic_comparison import make_inputs


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def compared(workspace: Path, empty_store: Path) -> Comparison:
    """A comparison of both arms in the default store, beside an experiment that somebody has deleted."""
    shutil.copy(empty_store, workspace / "mlflow.db")
    inputs = make_inputs()
    digest = inputs.comparison.data_digest
    for folder, arms in {"gone": ["candidate"], "shapes": ["baseline", "candidate"]}.items():
        card = DatasetCard(digest=digest, names=("square",), splits={"test": SplitCount(images=2, boxes=4)})
        for arm in arms:
            (result,) = inputs.results[arm]  # type: ignore[index]  # a text
            log(Runs.open(folder, card), result, inputs.comparison)
    client = MlflowClient(f"sqlite:///{(workspace / 'mlflow.db').as_posix()}")
    (gone,) = [each for each in client.search_experiments() if each.name.startswith("gone")]
    client.delete_experiment(gone.experiment_id)
    return inputs.comparison


def log(runs: Runs, result: ArmResult, comparison: Comparison) -> None:
    """Log as the stages do, but for epochs, files and the checkpoint."""
    run = runs.start_run(result.training)
    run.mark_trained(result.training)
    run.log_changed_metrics(result.metrics.numbers() | _comparison_metrics(result.training.arm, comparison))
    run.set_tags(evaluation_tags(result.statistics) | _comparison_tags(result.training.arm, comparison))
    run.end("FINISHED")


def type_in(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "leaderboard", *options])
    commands.main()


def test_it_prints_the_comparison_as_it_was_logged(
    compared: Comparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"shapes ({compared.data_digest[:8]}), test"
    assert lines[2].startswith("1 candidate measured on these test images.")
    (row,) = [line for line in lines if line.startswith("mnv1_n")]
    deciding = compared.metrics[METRICS[0]]
    assert f"{deciding.delta:+.3f}  {deciding.low:+.3f} to {deciding.high:+.3f}  yolo11n" in row
    assert f"{compared.verdict}, provisional" in row
    assert "Left out" not in "".join(lines)


@pytest.mark.parametrize("store", ["sqlite:///mlflow.db", "sqlite:///{}/mlflow.db"])
def test_a_store_and_a_dataset_can_be_named_and_the_ending_says_the_format(
    compared: Comparison, workspace: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    output = workspace / "tables" / "all.csv"
    named = ("--store", store.format(workspace.as_posix()), "--data", compared.data_digest[:8])
    type_in(monkeypatch, *named, "--output", str(output))
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"]: row["dataset"] for row in rows} == {"mnv1_n": "shapes", "yolo11n": "shapes"}
    assert float(rows[-1]["low"] or rows[0]["low"]) == compared.metrics[METRICS[0]].low


@pytest.mark.usefixtures("compared")
def test_it_changes_nothing_in_the_store(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def content() -> list[str]:
        with sqlite3.connect(workspace / "mlflow.db") as connection:
            return list(connection.iterdump())

    before, files = content(), sorted(workspace.iterdir())
    type_in(monkeypatch)
    assert content() == before
    assert sorted(workspace.iterdir()) == files


@pytest.mark.parametrize("content", [None, b"", b"no database, but some text of a file"])
def test_where_there_is_no_store_none_is_made(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    store = workspace / "team.db"
    if content is not None:
        store.write_bytes(content)
    with pytest.raises(SystemExit, match=r"^error: MLflow's store can't be read: .*team\.db (does not|is)"):
        type_in(monkeypatch, "--store", "sqlite:///team.db")
    assert (store.read_bytes() if store.exists() else None) == content
    assert list(workspace.iterdir()) == ([] if content is None else [store])


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("store", ["http://127.0.0.1:9", "nosuchscheme://store", "mlruns"])
def test_an_address_that_leads_nowhere_is_one_error(monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(SystemExit, match=r"^error: MLflow's store can't be read: "):
        type_in(monkeypatch, "--store", store)


@pytest.mark.usefixtures("compared")
def test_a_folder_is_no_output(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="is a folder; name a file in it"):
        type_in(monkeypatch, "--output", str(workspace))
