"""Runs whose process was killed: how they are recognised later, and marked."""

from __future__ import annotations

import os
import platform

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment


def origin_tags() -> dict[str, str]:
    """Tags that say what trains: commit, threads, stage, machine and process; `end_killed_runs` reads the last two."""
    return {
        "git.commit": environment.git_commit(),
        "host": platform.node(),
        "pid": str(os.getpid()),
        "pid.started": str(psutil.Process().create_time()),
        "threads": str(environment.threads()),
        "mlflow.source.name": environment.stage_name() or "",
    }


def end_killed_runs(client: MlflowClient) -> None:
    """Mark as KILLED the runs of this machine that are still RUNNING although their process has ended."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    running = f"attributes.status = 'RUNNING' and tags.host = '{platform.node()}'"
    for run in client.search_runs(experiments, running):
        if not _is_alive(run):
            client.set_terminated(run.info.run_id, "KILLED")


def _is_alive(run: Run) -> bool:
    """Does the process that started a run still exist? Its start time is compared too, since process ids are reused."""
    try:
        process = psutil.Process(int(run.data.tags["pid"]))
        return abs(process.create_time() - float(run.data.tags["pid.started"])) < 1
    except (psutil.Error, KeyError, ValueError):
        return False
