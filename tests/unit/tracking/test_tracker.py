from __future__ import annotations

import dataclasses
import json
import os
import platform
import signal
import sqlite3
import sys
import warnings
from contextlib import closing
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mobileyolo.core.environment import Terminated
from mobileyolo.core.files import (
    CHINESE_REPORT_FILE,
    COMPARISON_FILE,
    ERRORS_DIR,
    REPORT_FILE,
    SUMMARY_FILE,
    ModelFiles,
    start_file,
    write_table,
    write_text,
)
from mobileyolo.core.records import FindingCount, Severity, TrainingRecord, ValidationVerdict
from mobileyolo.core.results import ArmResult
from mobileyolo.core.tables import Manifest
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.tracking import Tracker, log_results
from mobileyolo.tracking.descriptions import colour_of, of_comparison
from mobileyolo.tracking.pages import comparison_page
from mobileyolo.tracking.run_writer import RunWriter
from mobileyolo.tracking.tracker import VALIDATION_FILES
from tests.synthetic_comparison import make_inputs
from tests.synthetic_results import make_metrics, make_statistics
from tests.unit.tracking import processes
from tests.unit.tracking.listed import loadable, models

CARD = processes.CARD
PLAN = processes.PLAN.model_copy(update={"recipe": {"epochs": 2, "lr0": 0.01}})
RECORD = TrainingRecord(**PLAN.model_dump(), best_epoch=2, weights_digest="w" * 64)
HISTORY = pd.DataFrame({"epoch": [1, 2], "train_box_loss": [3.0, 2.0], "map50": [0.1, 0.2], "map50_95": [0.05, 0.1]})


def runs(store: MlflowClient) -> list[Run]:
    ids = [experiment.experiment_id for experiment in store.search_experiments() if experiment.name != "Default"]
    return list(store.search_runs(ids)) if ids else []


def train(tracker: Tracker) -> None:
    with tracker.training(PLAN) as live:
        for row in HISTORY.to_dict("records"):
            live.log_epoch(int(row["epoch"]), {column: row[column] for column in HISTORY.columns[1:]})
        live.finish(RECORD)


def test_a_training_is_one_finished_run_with_its_params_tags_and_curves(store: MlflowClient) -> None:
    train(Tracker.open("shapes", CARD))
    (run,) = runs(store)
    assert store.get_experiment(run.info.experiment_id).name == "shapes-01234567"
    assert (run.info.run_name, run.info.status) == ("mnv1_n-s0", "FINISHED")
    assert run.data.params == {
        "backbone": "mnv1_n",
        "width": "0.25",
        "seed": "0",
        "train.epochs": "2",
        "train.lr0": "0.01",
        "train.teacher": "none",
        "train.dis": "0.0",
    }
    tags = {"arm": "candidate", "stage": "trained", "data.digest": CARD.digest, "recipe.digest": "r" * 64}
    assert tags.items() <= run.data.tags.items()
    assert (run.data.tags["host"], run.data.tags["pid"]) == (platform.node(), str(os.getpid()))
    assert "reason" not in run.data.tags
    assert run.data.tags["mlflow.runColor"] == colour_of("mnv1_n")
    curve = store.get_metric_history(run.info.run_id, "val/map50")
    assert [(point.step, point.value) for point in curve] == [(1, 0.1), (2, 0.2)]


def test_a_run_in_an_experiment_carries_its_name(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-dog")
    train(Tracker.open("shapes", CARD))
    (run,) = runs(store)
    assert run.info.run_name == "mnv1_n-s0-sunny-dog"
    assert run.data.tags["dvc.exp"] == "sunny-dog"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("nan loss\nin detail"), "FAILED", "ValueError: nan loss"),
        (ValueError(), "FAILED", "ValueError"),
        (SystemExit(1), "FAILED", "SystemExit: 1"),
        (Terminated(), "KILLED", "SIGTERM"),
        (KeyboardInterrupt(), "KILLED", "SIGINT"),
    ],
)
def test_a_run_that_did_not_finish_says_why(
    store: MlflowClient, error: BaseException, status: str, reason: str
) -> None:
    with pytest.raises(type(error)), Tracker.open("shapes", CARD).training(PLAN):
        raise error
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"], run.data.tags["reason"]) == (status, "training", reason)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "SIGTERM"),
        (signal.SIGINT, "SIGINT"),
        (signal.SIGKILL, "its process ended without a word"),
    ],
)
@pytest.mark.parametrize("trained", [False, True])
def test_a_run_does_not_stay_running_when_its_process_is_killed(
    store: MlflowClient, number: signal.Signals, reason: str, trained: bool
) -> None:
    """One that has its weights was trained to its end, and only its last call was lost."""
    ours, theirs = processes.pipe()
    process = processes.start(processes.train, theirs, 2, trained)
    assert ours.recv() == "ready"
    assert [run.info.status for run in runs(store)] == ["RUNNING"]
    os.kill(process.pid or 0, number)
    process.join()
    Tracker.open("shapes", CARD)  # the next stage that opens the store
    (run,) = runs(store)
    assert (run.info.status, run.data.tags.get("reason")) == (("FINISHED", None) if trained else ("KILLED", reason))


def test_a_run_that_is_alive_is_left_running(store: MlflowClient) -> None:
    with Tracker.open("shapes", CARD).training(PLAN):
        Tracker.open("shapes", CARD)
        assert [run.info.status for run in runs(store)] == ["RUNNING"]


@pytest.fixture
def result() -> ArmResult:
    return ArmResult(RECORD, make_metrics(), make_statistics(0, images=5))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "best.pt"
    path.write_bytes(b"weights")
    return path


def test_an_evaluation_goes_to_the_run_of_its_weights_with_the_model(
    store: MlflowClient, result: ArmResult, weights: Path
) -> None:
    tracker = Tracker.open("shapes", CARD)
    train(tracker)
    tracker.log_evaluation(result, HISTORY, weights)
    (run,) = runs(store)
    assert run.data.metrics["val_map50_95"] == 0.35
    assert result.metrics.numbers().items() <= run.data.metrics.items()
    assert (run.data.tags["stage"], run.data.tags["evaluate.split"]) == ("evaluated", "test")
    assert loadable(store, run)


def test_the_model_is_an_output_of_its_run_with_its_params_and_its_metrics_on_the_dataset(
    store: MlflowClient, result: ArmResult, weights: Path
) -> None:
    """As MLflow's pages show it: the tab of models, the column of models in the table of runs, `Logged from`."""
    tracker = Tracker.open("shapes", CARD)
    train(tracker)
    for _ in range(2):
        tracker.log_evaluation(result, HISTORY, weights)
    (run,) = runs(store)
    (model,) = models(store, run)
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert (model.name, model.source_run_id, model.params) == ("mnv1_n-s0", run.info.run_id, run.data.params)
    assert model.tags.items() >= {"arm": "candidate", "weights.digest": RECORD.weights_digest}.items()
    assert f'load_model("models:/{model.model_id}")' in model.tags["mlflow.note.content"]
    linked = store.get_logged_model(model.model_id).metrics
    assert {metric.key: metric.value for metric in linked} == result.metrics.numbers()
    assert {(each.dataset_name, each.dataset_digest, each.run_id) for each in linked} == {
        ("shapes", CARD.digest[:32], run.info.run_id)
    }
    assert len(linked) == len(result.metrics.numbers())


def test_a_model_that_somebody_deleted_is_logged_again_with_its_metrics(
    store: MlflowClient, result: ArmResult, weights: Path
) -> None:
    Tracker.open("shapes", CARD).log_evaluation(result, HISTORY, weights)
    (run,) = runs(store)
    (before,) = models(store, run)
    store.delete_logged_model(before.model_id)
    Tracker.open("shapes", CARD).log_evaluation(result, HISTORY, weights)
    (after,) = models(store, run)
    assert before.model_id != after.model_id
    assert {metric.key: metric.value for metric in after.metrics} == result.metrics.numbers()
    assert len(store.get_metric_history(run.info.run_id, "map50_95")) == 1


def test_a_run_that_lost_its_dataset_gets_its_model_and_metrics_all_the_same(
    store: MlflowClient, result: ArmResult, weights: Path, workspace: Path
) -> None:
    train(Tracker.open("shapes", CARD))
    with closing(sqlite3.connect(workspace / "mlflow.db")) as database, database:
        database.execute("DELETE FROM inputs")
    Tracker.open("shapes", CARD).log_evaluation(result, HISTORY, weights)
    (run,) = runs(store)
    (model,) = models(store, run)
    assert {metric.key: metric.value for metric in model.metrics} == result.metrics.numbers()
    assert {metric.dataset_name for metric in model.metrics} == {None}


def test_what_was_not_logged_is_logged_from_the_files_once(
    store: MlflowClient, result: ArmResult, weights: Path
) -> None:
    """As after a training without a store: one run with every epoch, and without the id of this process."""
    for _ in range(2):
        Tracker.open("shapes", CARD).log_evaluation(result, HISTORY, weights)
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"], run.data.tags["replayed"]) == ("FINISHED", "evaluated", "true")
    assert "pid" not in run.data.tags
    assert len(store.get_metric_history(run.info.run_id, "train/box_loss")) == 2


def test_epochs_that_were_not_logged_are_logged_later(store: MlflowClient, result: ArmResult, weights: Path) -> None:
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        live.log_epoch(1, {"train_box_loss": 3.0, "map50": 0.1, "map50_95": 0.05})
        live.finish(RECORD)
    Tracker.open("shapes", CARD).log_evaluation(result, HISTORY, weights)
    (run,) = runs(store)
    curve = store.get_metric_history(run.info.run_id, "val/map50")
    assert [(point.step, point.value) for point in curve] == [(1, 0.1), (2, 0.2)]


def test_a_comparison_logs_the_evaluation_too_where_the_store_lacks_it(
    store: MlflowClient, weights: Path, tmp_path: Path
) -> None:
    inputs = make_inputs()
    report, pages = tmp_path / "index.html", tmp_path / "errors"
    for file in (report, pages / "missed.html", pages / "images" / "1.webp"):
        write_text(file, "report")
    (candidate,) = inputs.results["candidate"]
    Tracker.open("shapes", CARD).log_comparison(
        candidate, inputs.histories["candidate"][0], weights, inputs.comparison, [report, pages]
    )
    (run,) = runs(store)
    assert candidate.metrics.numbers().items() <= run.data.metrics.items()
    deciding = inputs.comparison.metrics["map50_95"]
    logged = [run.data.metrics[f"delta/map50_95{end}"] for end in ("", "_low", "_high")]
    assert logged == [deciding.delta, deciding.low, deciding.high]
    assert {name for name in run.data.metrics if name.startswith("delta/")} == {
        f"delta/map50_95{end}" for end in ("", "_low", "_high")
    }
    for name in ("latency", "latency_onnx"):
        cost = inputs.comparison.costs[f"{name}_ms"]
        logged = [run.data.metrics[f"{name}_ratio{end}"] for end in ("", "_low", "_high")]
        assert logged == [cost.ratio, cost.low, cost.high]
    assert not any(name.endswith("_ms") for name in run.data.metrics)  # they differ from machine to machine
    assert (run.data.tags["stage"], run.data.tags["verdict"]) == ("compared", inputs.comparison.verdict)
    assert run.data.tags["provisional"] == "true"  # one seed
    (model,) = models(store, run)
    linked = {metric.key: metric.value for metric in store.get_logged_model(model.model_id).metrics}
    assert linked == {name: value for name, value in run.data.metrics.items() if name in linked}
    assert {"map50_95", "delta/map50_95_low", "latency_ratio"} <= linked.keys()
    page = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    assert run.data.tags["mlflow.note.content"] == of_comparison(inputs.comparison, page)
    folder = "report/mnv1_n-vs-yolo11n"
    assert [item.path for item in store.list_artifacts(run.info.run_id, folder)] == [
        f"{folder}/errors",
        f"{folder}/index.html",
    ]
    (picture,) = store.list_artifacts(run.info.run_id, f"{folder}/errors/images")
    assert picture.path == f"{folder}/errors/images/1.webp"


def test_a_store_that_cannot_be_opened_warns_once_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: ArmResult, weights: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'mlflow.db'}")
    (tmp_path / "no").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.warns(UserWarning, match="opening the store failed"):
        tracker = Tracker.open("shapes", CARD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(tracker)
        tracker.log_evaluation(result, HISTORY, weights)


@pytest.mark.parametrize("address", ["mlruns", "nosuchscheme://store", "http://127.0.0.1:9"])
def test_a_wrong_address_of_the_store_is_no_bug(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.warns(UserWarning, match=r"opening the store failed \(ConnectionError: \w+Exception: "):
        Tracker.open("shapes", CARD)
    assert runs(store) == []


def test_a_run_that_somebody_deletes_during_its_training_is_no_bug(store: MlflowClient) -> None:
    tracker = Tracker.open("shapes", CARD)
    with tracker.training(PLAN) as live:
        (run,) = runs(store)
        store.delete_run(run.info.run_id)
        with pytest.warns(UserWarning, match=r"logging an epoch failed .*must be in the 'active' state"):
            live.log_epoch(1, {"map50": 0.1})


def test_an_experiment_that_somebody_deletes_once_it_is_open_is_no_bug(store: MlflowClient) -> None:
    tracker = Tracker.open("shapes", CARD)
    (experiment,) = [each for each in store.search_experiments() if each.name != "Default"]
    store.delete_experiment(experiment.experiment_id)
    with pytest.warns(UserWarning, match=r"creating the run .* failed .*must be in the 'active' state"):
        train(tracker)


def test_after_an_epoch_that_was_not_logged_no_other_is_tried(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def log_epoch(_run: RunWriter, epoch: int, _values: dict[str, float]) -> None:
        tried.append(epoch)
        if epoch == 2:
            raise ConnectionError

    monkeypatch.setattr(RunWriter, "log_epoch", log_epoch)
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        live.log_epoch(1, {"map50": 0.1})
        with pytest.warns(UserWarning, match="logging an epoch failed"):
            live.log_epoch(2, {"map50": 0.1})
        live.log_epoch(3, {"map50": 0.1})
    assert tried == [1, 2]
    assert [run.info.status for run in runs(store)] == ["FINISHED"]


@pytest.mark.usefixtures("store")
def test_a_file_that_does_not_exist_is_a_bug(tmp_path: Path) -> None:
    tracker = Tracker.open("shapes", CARD)
    train(tracker)
    with pytest.raises(FileNotFoundError):
        tracker.log_validation(RECORD, HISTORY, found(), [tmp_path / "nowhere" / "report.html"])


@pytest.mark.usefixtures("store")
def test_a_name_that_mlflow_refuses_is_a_bug() -> None:
    refused = PLAN.model_copy(update={"recipe": {"lr0 (initial)": 0.01}})
    with pytest.raises(MlflowException, match="Names may only contain"), Tracker.open("shapes", CARD).training(refused):
        pass


def break_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a bug into what logs an epoch."""

    def log_epoch(_run: RunWriter, epoch: int, _values: dict[str, float]) -> None:
        raise TypeError(f"a bug in epoch {epoch}")

    monkeypatch.setattr(RunWriter, "log_epoch", log_epoch)


@pytest.mark.usefixtures("store")
def test_a_bug_in_tracking_fails_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    break_tracking(monkeypatch)
    with pytest.raises(TypeError, match="a bug in epoch 1"):
        train(Tracker.open("shapes", CARD))


def test_a_bug_in_tracking_does_not_end_a_training(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    break_tracking(monkeypatch)
    monkeypatch.delenv("MOBILEYOLO_STRICT_TRACKING")
    with pytest.warns(UserWarning, match=r"because of a bug \(TypeError: a bug in epoch 1;"):
        train(Tracker.open("shapes", CARD))
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"]) == ("FINISHED", "trained")


@pytest.mark.parametrize("absolute", [True, False])
def test_a_store_and_its_artifacts_stay_in_the_main_workspace(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    """As in a queued experiment, whose folder is deleted at its end."""
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = f"{tmp_path.as_posix()}/" if absolute else ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}own.db")
    train(Tracker.open("shapes", CARD))
    (run,) = runs(MlflowClient(f"sqlite:///{(tmp_path / 'own.db').as_posix()}"))
    assert run.info.artifact_uri.startswith((tmp_path / "mlruns").as_uri())
    assert not list(elsewhere.iterdir())


def test_the_dataset_is_the_runs_input_with_digest_counts_and_schema(store: MlflowClient) -> None:
    train(Tracker.open("data/raw/shapes", CARD))
    (run,) = runs(store)
    assert store.get_experiment(run.info.experiment_id).name == "shapes-01234567"
    (logged,) = run.inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("shapes", CARD.digest[:32])
    assert [(tag.key, tag.value) for tag in logged.tags] == [("mlflow.data.context", "training")]
    assert json.loads(logged.dataset.profile) == {
        "classes": 2,
        "train_images": 4,
        "train_boxes": 8,
        "class_names": ["square", "bar"],
    }
    columns = {column["name"]: column["type"] for column in json.loads(logged.dataset.schema)["mlflow_colspec"]}
    assert len(columns) == len(Manifest.IMAGE_COLUMNS) + len(Manifest.BOX_COLUMNS)
    assert (columns["images.sha256"], columns["boxes.class_id"], columns["boxes.x"]) == ("string", "long", "double")
    assert mlflow.data.get_source(logged).uri == "data/raw/shapes"


def found(**kinds: tuple[Severity, int]) -> ValidationVerdict:
    """A verdict with these numbers of rows for each kind of fault."""
    return ValidationVerdict(
        passed=True,
        findings={
            kind: FindingCount(
                suite="faults", severity=severity, count=count, rows=100, share=count / 100, tolerance=1.0
            )
            for kind, (severity, count) in kinds.items()
        },
    )


def test_what_validation_found_goes_to_the_run_with_its_files(store: MlflowClient, tmp_path: Path) -> None:
    tracker = Tracker.open("shapes", CARD)
    train(tracker)
    page = tmp_path / "index.html"
    page.write_text("page", encoding="utf-8")
    tracker.log_validation(RECORD, HISTORY, found(zero_size=("warning", 3), duplicate=("warning", 1)), [page])
    (run,) = runs(store)
    assert {name: value for name, value in run.data.metrics.items() if name.startswith("validation")} == {
        "validation.errors": 0,
        "validation.warnings": 2,
    }
    assert run.data.tags["validation.passed"] == "true"
    assert [item.path for item in store.list_artifacts(run.info.run_id, "validation")] == ["validation/index.html"]


def test_a_validation_replaces_the_one_before(store: MlflowClient, tmp_path: Path) -> None:
    """As after zero-size boxes were deleted, which validation left out anyway: clean rows and run are the same."""
    page = tmp_path / "index.html"
    for verdict in (found(zero_size=("warning", 3)), found(), found()):
        page.write_text(verdict.model_dump_json(), encoding="utf-8")
        Tracker.open("shapes", CARD).log_validation(RECORD, HISTORY, verdict, [page])
    (run,) = runs(store)
    points = {
        name: [point.value for point in store.get_metric_history(run.info.run_id, f"validation.{name}")]
        for name in ("errors", "warnings")
    }
    assert points == {"errors": [0], "warnings": [1, 0]}
    (kept,) = store.list_artifacts(run.info.run_id, "validation")
    text = Path(store.download_artifacts(run.info.run_id, kept.path, str(tmp_path))).read_text(encoding="utf-8")
    assert ValidationVerdict.model_validate_json(text) == found()


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportInputs:
    """A workspace with the files that the stage compare logs."""
    monkeypatch.chdir(tmp_path)
    inputs = make_inputs()
    pages = (REPORT_FILE, CHINESE_REPORT_FILE, ERRORS_DIR / "missed.html")
    for path in (*pages, SUMMARY_FILE, COMPARISON_FILE, *VALIDATION_FILES):
        write_text(path, path.name)
    for arm, histories in inputs.histories.items():
        files = ModelFiles(arm, 0)
        write_text(start_file(arm), "{}")
        write_table(files.history, histories[0])
        files.weights.write_bytes(b"weights")
    return inputs


def test_results_that_dvc_restored_are_logged_whole_and_only_once(store: MlflowClient, compared: ReportInputs) -> None:
    for _ in range(2):
        log_results("shapes", CARD, found(zero_size=("warning", 3)), compared.results, compared.comparison)
    logged = runs(store)
    assert sorted(run.data.tags["arm"] for run in logged) == ["baseline", "candidate"]
    for run in logged:
        folders = [item.path for item in store.list_artifacts(run.info.run_id)]
        assert loadable(store, run)
        assert folders == ["report", "validation"]
        names = [Path(item.path).name for item in store.list_artifacts(run.info.run_id, "validation")]
        assert names == ["findings.csv", "index.html", "verdict.json"]
        for name in run.data.metrics:
            steps = [point.step for point in store.get_metric_history(run.info.run_id, name)]
            assert len(steps) == len(set(steps))


def test_what_was_logged_says_how_to_come_to_the_models_side_by_side(
    store: MlflowClient, compared: ReportInputs
) -> None:
    logged = log_results("shapes", CARD, found(), compared.results, compared.comparison)
    number = runs(store)[0].info.experiment_id
    assert logged.complete
    assert logged.way == f"mlflow ui, then http://127.0.0.1:5000/{comparison_page(number)}"


def test_without_a_store_nobody_is_led_to_a_page(
    workspace: Path, compared: ReportInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.warns(UserWarning, match="opening the store failed"):
        logged = log_results("shapes", CARD, found(), compared.results, compared.comparison)
    assert (logged.complete, logged.way) == (False, "mlflow ui")


def test_the_trained_teacher_has_a_run_of_its_own_that_is_not_compared(
    store: MlflowClient, compared: ReportInputs
) -> None:
    baseline = compared.results["baseline"][0]
    training = baseline.training.model_copy(
        update={"arm": "teacher", "backbone": "yolo11s", "weights_digest": "t" * 64}
    )
    files = ModelFiles("teacher", training.seed)
    write_table(files.history, compared.histories["baseline"][0])
    files.weights.write_bytes(b"weights")
    teacher = dataclasses.replace(baseline, training=training)
    log_results("shapes", CARD, found(), compared.results, compared.comparison, teacher)
    (run,) = (run for run in runs(store) if run.data.tags["arm"] == "teacher")
    assert (run.info.run_name, run.info.status, run.data.tags["stage"]) == ("yolo11s-s0", "FINISHED", "evaluated")
    assert run.data.metrics["map50_95"] == baseline.metrics.map50_95
    assert loadable(store, run)
    assert [item.path for item in store.list_artifacts(run.info.run_id)] == ["validation"]


def test_an_export_goes_to_the_run_of_its_weights(store: MlflowClient, tmp_path: Path) -> None:
    tracker = Tracker.open("shapes", CARD)
    train(tracker)
    record = tmp_path / "parity.json"
    record.write_text("{}", encoding="utf-8")
    tracker.log_export(RECORD, HISTORY, {"export/onnx_max_box_diff_px": 0.25}, record)
    (run,) = runs(store)
    assert run.data.metrics["export/onnx_max_box_diff_px"] == 0.25
    assert [item.path for item in store.list_artifacts(run.info.run_id, "export")] == ["export/parity.json"]
