"""What the services that a team shares bear: many trials that train nothing, but talk to them as others do.

The services are those of compose.yaml. Each load begins with empty ones. A trial logs through the code of the stages:
a run with its epochs, its model and its end. It also sends a file to DVC's remote.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.workspaces import scratch
from mobileyolo.core import environment

if TYPE_CHECKING:
    from mobileyolo.experiments import RemoteFolder

WORKERS = (2, 8, 32)  # trials at a time
EPOCHS = 40
WEIGHTS, RESULTS = 5_000_000, 100_000  # bytes of the files that a trial sends to the server, and to the remote
RATE, LOST = "requests a second", "lost trials"
REMOTE = "a file to the remote"
# What a request is called, by its method and a part of its path; others count in the rate only.
KINDS = {
    "a new run": ("POST", "/runs/create"),
    "values of a run": ("POST", "/runs/log-batch"),
    "a search for runs": ("POST", "/runs/search"),
    "the end of a run": ("POST", "/runs/update"),
    "an artifact": ("PUT", "/mlflow-artifacts/artifacts/"),
}
SHARES = {"median": 50, "99th percentile": 99}  # percent of the requests that took less
PATIENCE = 600.0  # seconds until all workers have imported what they need


class Request(NamedTuple):
    """One request, as its client sees it."""

    kind: str  # "" for one of no interest
    began: float  # seconds on a clock that all processes have
    seconds: float


def cases(scale: Scale) -> list[Case]:
    """The rate, what was lost, and how long each kind of request takes; the ways are numbers of workers."""
    trials, workers = (4, (2,)) if scale.quick else (1_000, WORKERS)
    units = {RATE: "requests/s", LOST: "trials"}
    units |= {_name(kind, share): "ms" for kind in (*KINDS, REMOTE) for share in SHARES}
    return [
        Case(
            subject="cluster",
            name=name,
            unit=unit,
            size={"trials": trials, "epochs": EPOCHS},
            open=partial(_opened, name, trials, workers),
            figure="value",
            aim=Aim("at most", 0) if name == LOST else None,
            rounds=scale.rounds(1),  # each is a quarter of an hour for each number of workers, with many requests
        )
        for name, unit in units.items()
    ]


@contextmanager
def _opened(name: str, trials: int, workers: Sequence[int]) -> Iterator[Ways]:
    """The most workers come first: theirs is the figure."""

    def way(number: int) -> Iterator[Sample]:
        loads = _LOADS[number, trials]
        for turn in count():
            if turn == len(loads):
                loads.append(_load(number, trials))
            yield Sample(loads[turn][name])

    yield {f"{number} workers": way(number).__next__ for number in sorted(workers, reverse=True)}


# Values of all cases, of each load by workers and trials: the cases that are measured in this process share them.
_LOADS: defaultdict[tuple[int, int], list[Mapping[str, float]]] = defaultdict(list)


def _load(workers: int, trials: int) -> Mapping[str, float]:
    """Values of all cases, of one load.

    Args:
        workers: trials at a time.
        trials: in all.
    """
    from tests.pipeline.services import shared  # imports MLflow, which takes seconds

    with scratch() as folder:
        for name in ("services", "client"):
            (folder / name).mkdir()
        with shared(folder / "services") as services:
            work = folder / "client"
            remote = json.dumps({**services.settings, **services.keys, "url": services.url})
            variables = {**services.variables, "REMOTE": remote}
            run(python("benchmarks.cluster", str(workers), str(trials)), work, variables)
            values: Mapping[str, float] = json.loads((work / "values.json").read_text(encoding="utf-8"))
            return values


def values_of(requests: Sequence[Request], lost: int) -> dict[str, float]:
    """Values by case.

    Args:
        requests: all of a load.
        lost: trials.
    """
    import numpy as np

    began, ended = min(each.began for each in requests), max(each.began + each.seconds for each in requests)
    values = {RATE: len(requests) / (ended - began), LOST: float(lost)}
    for kind in (*KINDS, REMOTE):
        took = [1e3 * each.seconds for each in requests if each.kind == kind]
        values |= {_name(kind, share): float(np.percentile(took, percent)) for share, percent in SHARES.items()}
    return values


def kind_of(method: str, url: str) -> str:
    """What a request to MLflow's server is called; "" if it is of no interest."""
    path = urlsplit(url).path
    return next((kind for kind, (verb, part) in KINDS.items() if method == verb and part in path), "")


def _name(kind: str, share: str) -> str:
    return f"{kind}, {share}"


def main() -> None:
    """Run the trials of a load, ask the services what they have of them, and write the values of all cases."""
    workers, trials = map(int, sys.argv[1:])
    environment.isolate(Path.cwd())
    context = get_context("spawn")
    for name, size in (("best.pt", WEIGHTS), ("results.bin", RESULTS)):
        Path(name).write_bytes(bytes(size))
    ready = context.Barrier(workers)
    with ProcessPoolExecutor(workers, context, _get_ready, (ready,)) as pool:
        requests = [each for found in pool.map(_trial, range(trials)) for each in found]
    values = values_of(requests, len(_lost(trials)))
    Path("values.json").write_text(json.dumps(values), encoding="utf-8")


_made: list[Request] = []  # in this process, since the last trial


def _get_ready(all_ready: Barrier) -> None:
    """Import what takes long, watch all requests, and wait for the other workers."""
    from requests import Session

    import mobileyolo.tracking  # noqa: F401

    send = Session.send

    def timed(session: Session, request: Any, **options: Any) -> Any:
        with _timing(kind_of(request.method, request.url)):
            return send(session, request, **options)

    Session.send = timed  # type: ignore[assignment, method-assign]
    _remote()
    all_ready.wait(PATIENCE)


@contextmanager
def _timing(kind: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        _made.append(Request(kind, began, time.monotonic() - began))


def _trial(number: int) -> list[Request]:
    """All that a trial tells the services; its requests."""
    from mobileyolo.core.records import TrainingRecord
    from mobileyolo.core.results import ArmResult
    from mobileyolo.tracking import Tracker
    from tests.synthetic_results import make_metrics, make_statistics
    from tests.unit.tracking.processes import CARD, PLAN

    plan = PLAN.model_copy(update={"seed": number, "recipe": {**PLAN.recipe, "epochs": EPOCHS}})
    record = TrainingRecord(**plan.model_dump(), best_epoch=EPOCHS, weights_digest=_digest(number))
    tracker = Tracker.open("simulated", CARD)
    history = _history()
    with tracker.training(plan) as live:
        for row in history.to_dict("records"):
            live.log_epoch(int(row.pop("epoch")), row)
        live.finish(record)
    result = ArmResult(record, make_metrics(), make_statistics(0, images=5))
    tracker.log_evaluation(result, history, Path("best.pt"))
    with _timing(REMOTE):
        _remote().upload(Path("results.bin"), f"{_digest(number)}/results.bin")
    made = [*_made]
    _made.clear()
    return made


def _digest(number: int) -> str:
    """What stands for the digest of a trial's weights."""
    return f"{number:064x}"


def _history() -> Any:
    """Losses and metrics of a training, as history.csv has them."""
    import pandas as pd

    epochs = range(1, EPOCHS + 1)
    losses = {f"{part}_{name}_loss": [1 / epoch for epoch in epochs] for part in ("train", "val") for name in "abc"}
    return pd.DataFrame({"epoch": epochs, **losses, "map50": [0.5] * EPOCHS, "map50_95": [0.25] * EPOCHS})


@cache
def _remote() -> RemoteFolder:
    """The folder of DVC's remote that takes the trials' files."""
    import os

    from dvc_s3 import S3FileSystem

    from mobileyolo.experiments import RemoteFolder

    settings = json.loads(os.environ["REMOTE"])
    files = S3FileSystem(**settings)
    return RemoteFolder(files, files.join(urlsplit(settings["url"]).netloc, "simulated"))


def _lost(trials: int) -> set[str]:
    """Digests of trials of which the services lack something, as they themselves say."""
    from mobileyolo.tracking.store import active_experiments, open_store

    client = open_store()
    experiments, token, complete = active_experiments(client), None, set()
    while token != "":
        page = client.search_runs(experiments, max_results=1_000, page_token=token)
        complete |= {run.data.tags["weights.digest"] for run in page if _is_complete(client, run)}
        token = page.token or ""
    kept = {name.partition("/")[0] for name in _remote().names()}
    return {_digest(number) for number in range(trials)} - (complete & kept)


def _is_complete(client: Any, run: Any) -> bool:
    """Has the server all of a trial: its end, each epoch once, and its model with the files?"""
    from mobileyolo.tracking.run_writer import RunWriter

    ended = (run.info.status, run.data.tags.get("stage")) == ("FINISHED", "evaluated")
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "val/map50_95")]
    return ended and sorted(steps) == [*range(1, EPOCHS + 1)] and RunWriter(client, run.info.run_id).has_model()


if __name__ == "__main__":
    main()
