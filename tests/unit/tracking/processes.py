"""Processes that log and are killed, forked from one that has imported MLflow, which takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pandas as pd

from mobileyolo.core.records import DatasetCard, SplitCount, Teacher, TrainingPlan, TrainingRecord
from mobileyolo.tracking import Tracker
from mobileyolo.tracking.run_writer import RunWriter
from mobileyolo.tracking.store import open_store
from mobileyolo.tracking.tracker import LiveRun
from tests.synthetic_results import RANDOM

if sys.platform == "win32":
    _CONTEXT = multiprocessing.get_context("spawn")
else:
    _CONTEXT = multiprocessing.get_context("forkserver")
    _CONTEXT.set_forkserver_preload([__name__, "mlflow.store.tracking.sqlalchemy_store", "alembic.command"])

CARD = DatasetCard(
    digest="0123456789abcdef" * 4, names=("square", "bar"), splits={"train": SplitCount(images=4, boxes=8)}
)
PLAN = TrainingPlan(
    arm="candidate",
    backbone="mnv1_n",
    width=0.25,
    seed=0,
    data_digest=CARD.digest,
    recipe={"epochs": 4, "lr0": 0.01},
    start=RANDOM,
    teacher=Teacher(name="none"),
    engine={"ultralytics": "8.4", "torch": "2.14.1", "device": "cpu"},
    recipe_digest="r" * 64,
)
RECORD = TrainingRecord(**PLAN.model_dump(), best_epoch=2, weights_digest="w" * 64)
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "train_box_loss": [3.0, 2.0, 1.5, 1.25],
        "map50": [0.1, 0.2, 0.3, 0.4],
        "map50_95": [0.0, 0.1, 0.15, 0.2],
    }
)
ROWS: list[dict[str, float]] = HISTORY.to_dict("records")  # type: ignore[assignment]  # its columns are text


def start(function: Callable[..., None], *arguments: object, **environment: str) -> BaseProcess:
    """Call a function in a process of its own, with this process's environment and these variables."""
    process = _CONTEXT.Process(target=_call, args=({**os.environ, **environment}, function, arguments), daemon=True)
    process.start()
    return process


def pipe() -> tuple[Connection, Connection]:
    """Both ends of a pipe, to give one to a process."""
    return _CONTEXT.Pipe()


def _call(environment: Mapping[str, str], function: Callable[..., None], arguments: tuple[object, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    function(*arguments)


def open_and_log() -> None:
    """Open the store and log a training."""
    open_store()
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        live.finish(RECORD)


def log_epochs(live: LiveRun, epochs: range) -> None:
    """Log these epochs."""
    for row in ROWS:
        if row["epoch"] in epochs:
            live.log_epoch(int(row["epoch"]), {column: value for column, value in row.items() if column != "epoch"})


def train(parent: Connection, until: int, ends: bool) -> None:
    """Train for some epochs, tell the parent, and wait for its word, or to be killed; then train to the end."""
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        log_epochs(live, range(1, until + 1))
        if ends:
            live.finish(RECORD)
        parent.send("ready")
        while not parent.poll():  # in short steps, between which a signal is handled
            time.sleep(0.01)
        log_epochs(live, range(until + 1, 5))
        live.finish(RECORD)


def train_and_lose_the_weights() -> None:
    """Train to the end; the store is out of reach when it should be told the weights, and there again after that."""

    def out_of_reach(_run: RunWriter, _record: TrainingRecord) -> None:
        raise ConnectionError

    RunWriter.mark_trained = out_of_reach  # type: ignore[method-assign, assignment]
    with Tracker.open("shapes", CARD).training(PLAN) as live:
        log_epochs(live, range(1, 5))
        live.finish(RECORD)
