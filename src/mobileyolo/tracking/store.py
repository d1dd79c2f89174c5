"""The store that the runs go to, and the experiments in it."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment

# What MLflow 3 calls an experiment that trains models; without it, its pages guess.
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}


def open_store() -> MlflowClient:
    """A client on MLFLOW_TRACKING_URI, by default mlflow.db in the main workspace, which `mlflow ui` reads.

    Raises:
        ConnectionError: there is no store that works at this address.
    """
    uri = _address()
    if not uri.startswith("sqlite:"):
        return _connect(uri)
    state = environment.main_workspace() / environment.STATE_DIR
    state.mkdir(parents=True, exist_ok=True)
    # Two processes that create one database at the same time destroy it (MLflow 3.17).
    with FileLock(state / "mlflow.lock"):
        return _connect(uri)


def find_or_create_experiment(client: MlflowClient, name: str) -> str:
    """Id of the experiment with this name."""
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # A database keeps no files: MLflow would write them into the working directory, which in a queued experiment is
    # temporary.
    database = not _address().startswith(("http:", "https:", "databricks"))
    location = (environment.main_workspace() / "mlruns").as_uri() if database else None
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=_MODEL_TRAINING))
    except mlflow.exceptions.MlflowException:
        created = client.get_experiment_by_name(name)  # another process may have created it in the meantime
        if created is None:
            raise
        return str(created.experiment_id)


def _connect(uri: str) -> MlflowClient:
    """A client that has reached its store once.

    The address is the user's. For one that is wrong, MLflow raises the errors that it raises for wrong arguments of
    ours (INVALID_PARAMETER_VALUE, FileNotFoundError), and others: a missing driver of a database is an ImportError.
    """
    try:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    except Exception as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    return client


def _address() -> str:
    """Address of the store; the path of a database is relative to the main workspace, not the working directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    scheme, separator, path = uri.partition(":///")
    if scheme == "sqlite" and separator and not Path(path).is_absolute():
        return f"sqlite:///{(environment.main_workspace() / path).as_posix()}"
    return uri
