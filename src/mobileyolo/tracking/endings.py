"""How runs end: by an error, by a signal, or without a word, which is recognised later."""

from __future__ import annotations

import os
import platform
import signal

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment
from mobileyolo.tracking.store import active_experiments

STUDY = "study.name"  # tag of a study's run
_REASON_LENGTH = 500  # characters; MLflow takes 8,000


def origin_tags() -> dict[str, str]:
    """Tags that say what trains: commit, threads, stage, machine and process; `end_lost_runs` reads the last two."""
    return {
        "git.commit": environment.git_commit(),
        "host": platform.node(),
        "pid": str(os.getpid()),
        "pid.started": str(psutil.Process().create_time()),
        "threads": str(environment.threads()),
        "mlflow.source.name": environment.stage_name() or "",
    }


def ending(error: BaseException) -> tuple[str, str]:
    """The status of a run that an error ends, and the reason in a line: KILLED by a signal, else FAILED."""
    if isinstance(error, KeyboardInterrupt):
        return "KILLED", (signal.SIGTERM if isinstance(error, environment.Terminated) else signal.SIGINT).name
    return "FAILED", f"{type(error).__name__}: {error}".splitlines()[0][:_REASON_LENGTH].removesuffix(": ")


def end_lost_runs(client: MlflowClient) -> bool:
    """End the runs of this machine that are still RUNNING although their process has ended.

    One that has its weights was trained to its end, and only its last call was lost; any other was killed.

    Returns:
        Is another one still alive?
    """
    alive = False
    running = f"attributes.status = 'RUNNING' and tags.host = '{platform.node()}'"
    for run in client.search_runs(active_experiments(client), running):
        if not {"data.digest", STUDY} & run.data.tags.keys():  # others' runs may have the tag host as well
            continue
        if _is_alive(run):
            alive = True
        elif "weights.digest" in run.data.tags:
            client.set_terminated(run.info.run_id, "FINISHED")
        else:
            client.set_tag(run.info.run_id, "reason", "its process ended without a word")
            client.set_terminated(run.info.run_id, "KILLED")
    return alive


def _is_alive(run: Run) -> bool:
    """Does the process that started a run still exist? Its start time is compared too, since process ids are reused."""
    try:
        process = psutil.Process(int(run.data.tags["pid"]))
        return abs(process.create_time() - float(run.data.tags["pid.started"])) < 1
    except (psutil.Error, KeyError, ValueError):
        return False
