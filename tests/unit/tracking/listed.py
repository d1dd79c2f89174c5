"""What MLflow lists of a run's model."""

from __future__ import annotations

from mlflow.entities import LoggedModel, LoggedModelStatus, Run
from mlflow.tracking import MlflowClient


def models(store: MlflowClient, run: Run) -> list[LoggedModel]:
    """The models that MLflow lists as made by a run."""
    return list(store.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"))


def loadable(store: MlflowClient, run: Run) -> bool:
    """Has the run one model that is ready, and the files that MLflow loads it from?"""
    (model,) = models(store, run)
    files = [item.path for item in store.list_logged_model_artifacts(model.model_id)]
    return model.status == LoggedModelStatus.READY and "MLmodel" in files
