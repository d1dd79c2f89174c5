from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from mlflow.tracking import MlflowClient

from mobileyolo import commands
from mobileyolo.core.files import (
    CHINESE_REPORT_FILE,
    COMPARISON_FILE,
    DATASET_FILE,
    ERRORS_DIR,
    REPORT_FILE,
    SUMMARY_FILE,
    VALIDATION,
    ModelFiles,
    start_file,
    write_table,
    write_text,
)
from mobileyolo.core.records import DatasetCard, SplitCount
from mobileyolo.tracking.pages import comparison_page
from tests.synthetic_comparison import make_inputs

ROOT = Path(__file__).parents[3]


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace with what the stages left, and the command typed in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    inputs = make_inputs()
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    write_text(Path("params.yaml"), yaml.safe_dump({**params, "seeds": [0]}))
    for page in (REPORT_FILE, CHINESE_REPORT_FILE, ERRORS_DIR / "missed.html", SUMMARY_FILE, VALIDATION.findings):
        write_text(page, page.name)
    write_text(VALIDATION.page, "page")
    inputs.comparison.write(COMPARISON_FILE)
    inputs.validation.write(VALIDATION.verdict)
    card = DatasetCard(
        digest=inputs.comparison.data_digest, names=("square",), splits={"test": SplitCount(images=2, boxes=4)}
    )
    card.write(DATASET_FILE)
    for arm, (result,) in inputs.results.items():
        files = ModelFiles(arm, 0)
        write_text(start_file(arm), "{}")
        write_table(files.history, inputs.histories[arm][0])
        files.weights.write_bytes(b"weights")
        result.training.write(files.training)
        result.metrics.write(files.metrics)
        result.statistics.write(files.statistics)
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "log"])


@pytest.fixture
def logged(compared: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> MlflowClient:
    """The workspace's store, after the command."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    commands.main()
    return MlflowClient(f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")


def test_it_logs_the_models_of_the_last_comparison(logged: MlflowClient) -> None:
    runs = logged.search_runs([each.experiment_id for each in logged.search_experiments()])
    assert sorted(run.data.tags["arm"] for run in runs) == ["baseline", "candidate"]


def test_it_registers_them_and_says_who_is_the_champion(
    logged: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    (experiment,) = [each for each in logged.search_experiments() if each.name != "Default"]
    versions = logged.search_model_versions(f"name = '{experiment.name}'")
    assert sorted(version.tags["arm"] for version in versions) == ["baseline", "candidate"]
    commands.main()
    assert f"Champion of {experiment.name}: none yet; the comparison is provisional" in capsys.readouterr().out
    assert len(logged.search_model_versions(f"name = '{experiment.name}'")) == 2


def test_it_says_how_to_come_to_the_models_side_by_side(
    logged: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.main()
    (experiment,) = [each for each in logged.search_experiments() if each.name != "Default"]
    assert comparison_page(experiment.experiment_id) in capsys.readouterr().out


def test_it_logs_again_what_somebody_has_deleted(logged: MlflowClient) -> None:
    (experiment,) = [each for each in logged.search_experiments() if each.name != "Default"]
    logged.delete_experiment(experiment.experiment_id)
    with pytest.warns(UserWarning, match="somebody has deleted the experiment"):
        commands.main()
    (beside,) = [each for each in logged.search_experiments() if each.name != "Default"]
    assert beside.name == f"{experiment.name}-2"
    for run in logged.search_runs([beside.experiment_id]):
        logged.delete_run(run.info.run_id)
    commands.main()
    assert len(logged.search_runs([beside.experiment_id])) == 2


@pytest.mark.usefixtures("compared")
def test_a_store_that_is_out_of_reach_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with (
        pytest.warns(UserWarning, match="opening the store failed"),
        pytest.raises(SystemExit, match=r"^error: MLflow's store still lacks some or all of the last comparison"),
    ):
        commands.main()
