from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.artifacts import DatasetCard, MetricsRecord, SplitCount, TrainingPlan, TrainingRecord
from mobileyolo.tracking import Tracker

CARD = DatasetCard(
    digest="0123456789abcdef" * 4, names=("square", "bar"), splits={"train": SplitCount(images=4, boxes=8)}
)
PLAN = TrainingPlan(
    arm="candidate",
    backbone="mnv1_n",
    width=0.25,
    seed=0,
    data_digest=CARD.digest,
    recipe={"epochs": 2, "lr0": 0.01},
    recipe_digest="r" * 64,
)
RECORD = TrainingRecord(**PLAN.model_dump(), best_epoch=2, weights_digest="w" * 64)
HISTORY = pd.DataFrame({"epoch": [1, 2], "train_box_loss": [3.0, 2.0], "map50": [0.1, 0.2]})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The default store of an empty workspace."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return MlflowClient(f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")


def runs(store: MlflowClient) -> list[Run]:
    ids = [experiment.experiment_id for experiment in store.search_experiments() if experiment.name != "Default"]
    return list(store.search_runs(ids)) if ids else []


def train(tracker: Tracker) -> None:
    with tracker.training(PLAN) as live:
        for row in HISTORY.to_dict("records"):
            live.log_epoch(int(row["epoch"]), {"train_box_loss": row["train_box_loss"], "map50": row["map50"]})
        live.finish(RECORD)


def test_a_training_is_one_finished_run_with_its_params_tags_and_curves(store: MlflowClient) -> None:
    train(Tracker("shapes", CARD))
    (run,) = runs(store)
    assert store.get_experiment(run.info.experiment_id).name == "shapes-01234567"
    assert (run.info.run_name, run.info.status) == ("mnv1_n-s0", "FINISHED")
    assert run.data.params == {
        "backbone": "mnv1_n",
        "width": "0.25",
        "seed": "0",
        "train.epochs": "2",
        "train.lr0": "0.01",
    }
    tags = {"arm": "candidate", "stage": "trained", "data.digest": CARD.digest, "recipe.digest": "r" * 64}
    assert tags.items() <= run.data.tags.items()
    assert (run.data.tags["host"], run.data.tags["pid"]) == (platform.node(), str(os.getpid()))
    curve = store.get_metric_history(run.info.run_id, "val/map50")
    assert [(point.step, point.value) for point in curve] == [(1, 0.1), (2, 0.2)]
    assert run.inputs.dataset_inputs[0].dataset.name == "shapes"


def test_a_run_in_an_experiment_carries_its_name(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-dog")
    train(Tracker("shapes", CARD))
    (run,) = runs(store)
    assert run.info.run_name == "mnv1_n-s0-sunny-dog"
    assert run.data.tags["dvc.exp"] == "sunny-dog"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("nan loss"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(1), "KILLED")],
)
def test_a_run_that_did_not_finish_never_says_so(store: MlflowClient, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), Tracker("shapes", CARD).training(PLAN):
        raise error
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"]) == (status, "training")


START_AND_WAIT = textwrap.dedent(
    """
    import sys, time
    from mobileyolo.tracking import Tracker
    from tests.unit.test_tracking import CARD, PLAN
    with Tracker("shapes", CARD).training(PLAN):
        print("running", flush=True)
        time.sleep(600)
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_does_not_stay_running_when_its_process_is_killed(store: MlflowClient, number: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    process = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    assert [run.info.status for run in runs(store)] == ["RUNNING"]
    process.send_signal(number)
    process.wait(timeout=60)
    Tracker("shapes", CARD)  # the next stage that opens the store
    assert [run.info.status for run in runs(store)] == ["KILLED"]


def test_a_run_that_is_alive_is_left_running(store: MlflowClient) -> None:
    with Tracker("shapes", CARD).training(PLAN):
        Tracker("shapes", CARD)
        assert [run.info.status for run in runs(store)] == ["RUNNING"]


METRICS = MetricsRecord(map50=0.5, map50_95=0.3, precision=0.6, recall=0.4, parameters=10, gflops=1.5, weights_mb=2.0)


def test_an_evaluation_goes_to_the_run_of_its_weights_with_the_model(store: MlflowClient, tmp_path: Path) -> None:
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"weights")
    tracker = Tracker("shapes", CARD)
    train(tracker)
    tracker.log_evaluation(RECORD, HISTORY, METRICS, {"split": "test"}, weights)
    (run,) = runs(store)
    assert METRICS.model_dump().items() <= run.data.metrics.items()
    assert (run.data.tags["stage"], run.data.tags["evaluate.split"]) == ("evaluated", "test")
    assert [item.path for item in store.list_artifacts(run.info.run_id)] == ["model"]


def test_a_training_that_was_not_logged_is_logged_from_its_files_once(store: MlflowClient) -> None:
    tracker = Tracker("shapes", CARD)
    tracker.log_training(RECORD, HISTORY)
    tracker.log_training(RECORD, HISTORY)
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"]) == ("FINISHED", "trained")
    assert len(store.get_metric_history(run.info.run_id, "train/box_loss")) == 2


def test_a_store_out_of_reach_warns_once_and_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'mlflow.db'}")
    (tmp_path / "no").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.warns(UserWarning, match="opening the store failed"):
        tracker = Tracker("shapes", CARD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(tracker)
        tracker.log_evaluation(RECORD, HISTORY, METRICS, {}, tmp_path / "best.pt")
