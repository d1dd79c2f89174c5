"""Where the runs go: the store and the experiments in it, and which of its runs have lost their process."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import mlflow
import psutil
from filelock import FileLock
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment

# What MLflow 3 calls an experiment that trains models, so that its pages need not guess.
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}


def open_store() -> MlflowClient:
    """A client on MLFLOW_TRACKING_URI, else on mlflow.db in the main workspace, where a bare `mlflow ui` looks."""
    uri = _address()
    if not uri.startswith("sqlite:"):
        return MlflowClient(uri)
    state = environment.main_workspace() / environment.STATE_DIR
    state.mkdir(parents=True, exist_ok=True)
    # Processes that create one database at the same time break it for good (MLflow 3.17).
    with FileLock(state / "mlflow.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def experiment_id(client: MlflowClient, name: str) -> str:
    """Id of an experiment, made where there is none."""
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # With a database there is no server to keep artifacts; MLflow would put them below this process' folder, which is
    # a temporary one in a queued experiment.
    database = not _address().startswith(("http:", "https:", "databricks"))
    location = (environment.main_workspace() / "mlruns").as_uri() if database else None
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=_MODEL_TRAINING))
    except mlflow.exceptions.MlflowException:
        created = client.get_experiment_by_name(name)  # by another process, meanwhile
        if created is None:
            raise
        return str(created.experiment_id)


def whereabouts() -> dict[str, str]:
    """Who trains, and where: what tells later whether the process is still alive."""
    return {
        "git.commit": environment.git_commit(),
        "host": platform.node(),
        "pid": str(os.getpid()),
        "pid.started": str(psutil.Process().create_time()),
        "threads": str(environment.threads()),
        "mlflow.source.name": environment.stage_name() or "",
    }


def end_dead_runs(client: MlflowClient) -> None:
    """Runs of this machine that still say RUNNING although their process is gone were killed."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    running = f"attributes.status = 'RUNNING' and tags.host = '{platform.node()}'"
    for run in client.search_runs(experiments, running):
        if not _is_alive(run):
            client.set_terminated(run.info.run_id, "KILLED")


def _address() -> str:
    """Address of the store; a relative database belongs to the main workspace, wherever this process runs."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    scheme, separator, path = uri.partition(":///")
    if scheme == "sqlite" and separator and not Path(path).is_absolute():
        return f"sqlite:///{(environment.main_workspace() / path).as_posix()}"
    return uri


def _is_alive(run: Run) -> bool:
    """Does the process that started a run still exist? A process id alone may have been given to another."""
    try:
        process = psutil.Process(int(run.data.tags["pid"]))
        return abs(process.create_time() - float(run.data.tags["pid.started"])) < 1
    except (psutil.Error, KeyError, ValueError):
        return False
