"""Runs that go on after a kill: of a training that is resumed, or of one whose end could not be logged."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.core.records import TrainingPlan
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking import Tracker
from tests.synthetic_results import make_metrics, make_statistics
from tests.unit.tracking.listed import loadable
from tests.unit.tracking.processes import (
    CARD,
    HISTORY,
    PLAN,
    RECORD,
    ROWS,
    log_epochs,
    pipe,
    start,
    train,
    train_and_lose_the_weights,
)


def runs(store: MlflowClient) -> list[Run]:
    """All runs, oldest first."""
    ids = [experiment.experiment_id for experiment in store.search_experiments()]
    return list(store.search_runs(ids, order_by=["attributes.start_time"]))


def curve(store: MlflowClient, run: Run, name: str = "val/map50") -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in store.get_metric_history(run.info.run_id, name)]


def rows(*epochs: int) -> list[tuple[int, float]]:
    """What `curve` gives for these epochs."""
    return [(epoch, epoch / 10) for epoch in epochs]


def be_killed(epochs: range, plan: TrainingPlan = PLAN) -> None:
    """Leave a run behind as Ctrl-C leaves it."""
    with suppress(KeyboardInterrupt), Tracker.open("shapes", CARD).training(plan) as live:
        log_epochs(live, epochs)
        raise KeyboardInterrupt


def resume(done: Sequence[dict[str, float]]) -> None:
    with Tracker.open("shapes", CARD).training(PLAN, done) as live:
        log_epochs(live, range(len(done) + 1, 5))
        live.finish(RECORD)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_that_goes_on_after_a_kill_goes_on_in_its_run(store: MlflowClient, number: signal.Signals) -> None:
    """Killed in epoch 4, with a checkpoint of epoch 2: it trains epoch 3 again, which is logged already."""
    ours, theirs = pipe()
    process = start(train, theirs, 3, False)
    assert ours.recv() == "ready"
    tracker = Tracker.open("shapes", CARD)  # before the kill: it sees a run that is alive
    os.kill(process.pid or 0, number)
    process.join()
    with tracker.training(PLAN, ROWS[:2]) as live:
        (run,) = runs(store)
        assert (run.info.status, run.data.tags["pid"]) == ("RUNNING", str(os.getpid()))
        assert "reason" not in run.data.tags
        log_epochs(live, range(3, 5))
        live.finish(RECORD)
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"]) == ("FINISHED", "trained")
    assert "reason" not in run.data.tags
    assert curve(store, run) == rows(1, 2, 3, 4)
    assert len(run.inputs.dataset_inputs) == 1


def test_epochs_that_the_store_lacks_come_from_the_history(store: MlflowClient) -> None:
    be_killed(range(1, 2))
    resume(ROWS[:3])
    (run,) = runs(store)
    assert curve(store, run) == rows(1, 2, 3, 4)


def test_without_a_run_to_take_up_the_history_begins_a_new_one(store: MlflowClient) -> None:
    resume(ROWS[:3])
    (run,) = runs(store)
    assert (run.info.status, curve(store, run)) == ("FINISHED", rows(1, 2, 3, 4))
    assert "replayed" not in run.data.tags


def test_a_training_that_begins_anew_has_a_run_of_its_own(store: MlflowClient) -> None:
    be_killed(range(1, 3))
    resume([])
    before, after = runs(store)
    assert [(before.info.status, curve(store, before)), (after.info.status, curve(store, after))] == [
        ("KILLED", rows(1, 2)),
        ("FINISHED", rows(1, 2, 3, 4)),
    ]


@pytest.mark.parametrize("other", ["plan", "epochs", "host", "status", "weights"])
def test_a_run_of_another_training_is_left_as_it_is(store: MlflowClient, other: str) -> None:
    be_killed(range(1, 3), PLAN.model_copy(update={"backbone": "mnv1_s"}) if other == "plan" else PLAN)
    (run,) = runs(store)
    if other == "host":
        store.set_tag(run.info.run_id, "host", f"not-{platform.node()}")
    elif other == "status":
        store.set_terminated(run.info.run_id, "FAILED")
    elif other == "weights":
        store.set_tag(run.info.run_id, "weights.digest", "0" * 64)
    (before,) = runs(store)
    done = [{**row, "train_box_loss": 0.5} if other == "epochs" else row for row in ROWS[:3]]
    resume(done)
    same, new = runs(store)
    assert (same.info.status, same.data.tags) == (before.info.status, before.data.tags)
    assert curve(store, same) == rows(1, 2)
    assert (new.info.status, curve(store, new)) == ("FINISHED", rows(1, 2, 3, 4))


def test_the_last_of_several_killed_runs_goes_on(store: MlflowClient) -> None:
    for until in (2, 3):
        be_killed(range(1, until))
    resume(ROWS[:2])
    assert [run.info.status for run in runs(store)] == ["KILLED", "FINISHED"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "best.pt"
    path.write_bytes(b"weights")
    return path


RESULT = ArmResult(RECORD, make_metrics(), make_statistics(0, images=5))


def test_a_run_whose_end_was_not_logged_is_completed_and_not_made_again(store: MlflowClient, weights: Path) -> None:
    be_killed(range(1, 3))
    for _ in range(2):
        Tracker.open("shapes", CARD).log_evaluation(RESULT, HISTORY, weights)
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["stage"], curve(store, run)) == ("FINISHED", "evaluated", rows(1, 2, 3, 4))
    assert not {"replayed", "reason"} & run.data.tags.keys()
    assert len(run.inputs.dataset_inputs) == 1


def test_a_run_that_has_its_weights_is_finished_whatever_it_says(store: MlflowClient, weights: Path) -> None:
    """Versions before took a run for killed if only its last call was lost."""
    resume([])
    (run,) = runs(store)
    store.set_terminated(run.info.run_id, "KILLED")
    Tracker.open("shapes", CARD).log_evaluation(RESULT, HISTORY, weights)
    assert [run.info.status for run in runs(store)] == ["FINISHED"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_run_that_could_not_be_told_its_weights_is_completed(store: MlflowClient, weights: Path) -> None:
    """The server was away for that one call."""
    process = start(train_and_lose_the_weights)
    process.join()
    assert process.exitcode == 0
    Tracker.open("shapes", CARD).log_evaluation(RESULT, HISTORY, weights)
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["weights.digest"]) == ("FINISHED", RECORD.weights_digest)
    assert "reason" not in run.data.tags


def test_a_killed_run_with_other_epochs_is_not_completed(store: MlflowClient, weights: Path) -> None:
    """As after a kill with other threads, and a training since then that was not logged."""
    be_killed(range(1, 3))
    others = HISTORY.assign(train_box_loss=HISTORY["train_box_loss"] + 0.001)
    Tracker.open("shapes", CARD).log_evaluation(RESULT, others, weights)
    killed, replayed = runs(store)
    assert (killed.info.status, replayed.info.status) == ("KILLED", "FINISHED")
    assert curve(store, killed) == rows(1, 2)
    assert replayed.data.tags["replayed"] == "true"


def test_an_evaluation_that_was_cut_short_is_logged_once(
    store: MlflowClient, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume([])
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "finalize_logged_model", _server_goes_down)
        with pytest.warns(UserWarning, match="logging the evaluation"):
            Tracker.open("shapes", CARD).log_evaluation(RESULT, HISTORY, weights)
    Tracker.open("shapes", CARD).log_evaluation(RESULT, HISTORY, weights)
    (run,) = runs(store)
    assert loadable(store, run)
    assert len(curve(store, run, "map50_95")) == len(curve(store, run, "best_epoch")) == 1


def _server_goes_down(_client: MlflowClient, _model_id: str, _status: object) -> None:
    """The model's files have arrived."""
    raise ConnectionError
