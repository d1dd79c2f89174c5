"""The store that the runs go to, and the experiments in it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities import LifecycleStage
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment
from mobileyolo.core.console import harmless
from mobileyolo.tracking import database
from mobileyolo.tracking.pages import VIEW_TAG, comparison_view
from mobileyolo.tracking.store_errors import in_words

# What MLflow 3 calls an experiment that trains models; without it, its pages guess.
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}


def open_store() -> MlflowClient:
    """A client on MLFLOW_TRACKING_URI, by default mlflow.db in the main workspace, which `mlflow ui` reads.

    The address is the user's. For one that is wrong, MLflow raises the errors that it raises for wrong arguments of
    ours (INVALID_PARAMETER_VALUE, FileNotFoundError), and others: a missing driver of a database is an ImportError.

    Raises:
        ConnectionError: there is no store that works at this address.
    """
    try:
        return _open(store_address())
    except ConnectionError:
        raise
    except Exception as error:
        raise ConnectionError(in_words(error)) from error


def open_existing_store(address: str | None = None) -> MlflowClient:
    """A client to read with: where there is no store, none is created.

    Args:
        address: MLflow's or SQLAlchemy's; by default that of `open_store`.

    Raises:
        ConnectionError: there is no store that works at this address.
    """
    try:
        address = address or store_address()
        file = database.locate(address, environment.main_workspace())
        if file is None:
            return _connect(address)
        database.check(file)
        return _connect(file.render_as_string(hide_password=False))
    except ConnectionError:
        raise
    except Exception as error:
        raise ConnectionError(in_words(error)) from error


def active_experiments(client: MlflowClient) -> list[str]:
    """Ids of all experiments that nobody has deleted; a store may be older than this project, and hold others'."""
    ids, token = [], None
    while token != "":
        page = client.search_experiments(page_token=token)
        ids += [experiment.experiment_id for experiment in page]
        token = page.token or ""
    return ids


def find_or_create_experiment(client: MlflowClient, name: str, describe: Callable[[str], str]) -> str:
    """Id of the experiment with this name or, if somebody has deleted that, with the name and a number behind it.

    MLflow gives the name of a deleted experiment to no other one. To restore it would bring back every run in it, also
    those that were deleted before it was.

    Args:
        client: on an open store.
        name: of the experiment.
        describe: gives the description, in Markdown, of one that is created, by its id. That of one that is there may
            have been edited.
    """
    deleted = None
    for number in count(1):
        wanted = f"{name}-{number}" if number > 1 else name
        found = client.get_experiment_by_name(wanted)
        if found is None:
            break
        if found.lifecycle_stage == LifecycleStage.ACTIVE:
            if VIEW_TAG not in found.tags:  # made by a version without it; what is printed leads to the view
                client.set_experiment_tag(found.experiment_id, VIEW_TAG, comparison_view())
            return str(found.experiment_id)
        deleted = found
    created = _create_experiment(client, wanted, describe)
    if deleted:
        message = (
            f"MLflow: somebody has deleted the experiment {deleted.name}, so runs go to a new one, {wanted}; "
            f"`mlflow experiments restore --experiment-id {deleted.experiment_id}` brings the old one back"
        )
        warnings.warn(harmless(message), stacklevel=2)
    return created


def _create_experiment(client: MlflowClient, name: str, describe: Callable[[str], str]) -> str:
    # A database keeps no files: MLflow would write them into the working directory, which in a queued experiment is
    # temporary.
    location = None if is_server(store_address()) else (environment.main_workspace() / "mlruns").as_uri()
    try:
        tags = _MODEL_TRAINING | {VIEW_TAG: comparison_view()}
        experiment = str(client.create_experiment(name, artifact_location=location, tags=tags))
    except mlflow.exceptions.MlflowException:
        created = client.get_experiment_by_name(name)  # another process may have created it in the meantime
        if created is None:
            raise
        return str(created.experiment_id)
    client.set_experiment_tag(experiment, "mlflow.note.content", describe(experiment))
    return experiment


def _open(address: str) -> MlflowClient:
    file = database.locate(address, environment.main_workspace())
    if file is None:
        return _connect(address)
    state = Path(str(file.database)).parent / environment.STATE_DIR
    state.mkdir(parents=True, exist_ok=True)
    # Two processes that create one database at the same time destroy it (MLflow 3.17).
    with FileLock(state / "mlflow.lock"):
        database.ensure(file, state / "mlflow.new")
        return _connect(file.render_as_string(hide_password=False))


def _connect(address: str) -> MlflowClient:
    """A client that has reached its store once."""
    client = MlflowClient(address)
    client.search_experiments(max_results=1)
    return client


def is_server(address: str) -> bool:
    """Does a store keep files as well as numbers, for whichever machine writes into it?"""
    return address.startswith(("http:", "https:", "databricks"))


def store_address() -> str:
    """MLFLOW_TRACKING_URI, by default the database in the main workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
