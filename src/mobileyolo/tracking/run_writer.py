"""What can be written into one run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from mobileyolo.core.records import TrainingRecord
from mobileyolo.tracking.model import log_model


class RunWriter:
    """One run in an open store."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        """Take a run.

        Args:
            client: on the run's store.
            run_id: of a run that exists.
        """
        self._client = client
        self._run_id = run_id

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log one epoch's losses and validation metrics.

        Args:
            epoch: counted from 1.
            values: by column of history.csv.
        """
        self._log_metrics({_curve(column): value for column, value in values.items()}, step=epoch)

    def log_missing_epochs(self, history: pd.DataFrame) -> None:
        """Log the epochs that the run lacks.

        Args:
            history: all epochs; its first column is `epoch`.
        """
        logged = {point.step for point in self._client.get_metric_history(self._run_id, _curve("map50_95"))}
        for row in history.to_dict("records"):
            if int(row["epoch"]) not in logged:
                self.log_epoch(int(row["epoch"]), {column: row[column] for column in history.columns[1:]})

    def mark_trained(self, record: TrainingRecord) -> None:
        """Write down the best epoch and the digest of its weights, by which the run is found later."""
        self._log_metrics({"best_epoch": float(record.best_epoch)})
        self.set_tags({"stage": "trained", "weights.digest": record.weights_digest})

    def log_params(self, values: Mapping[str, str]) -> None:
        """Log parameters."""
        self._client.log_batch(self._run_id, params=[Param(key, value) for key, value in values.items()])

    def log_changed_metrics(self, values: Mapping[str, float]) -> None:
        """Log the metrics that the run lacks or has with another value; MLflow draws two equal points as a curve."""
        self._log_metrics(dict(values.items() - self.metrics().items()))

    def log_evaluation(self, metrics: Mapping[str, float], weights: Path) -> None:
        """Log held-out metrics and the loadable model.

        Args:
            metrics: by name.
            weights: the model's best.pt.
        """
        self._log_metrics(metrics)
        log_model(self._client, self._run_id, weights)

    def keep_files(self, files: Iterable[Path], folder: str) -> None:
        """Copy files, and folders with all that is in them, into a folder of the run's artifacts."""
        for path in files:
            if path.is_dir():
                self._client.log_artifacts(self._run_id, str(path), f"{folder}/{path.name}")
            else:
                self._client.log_artifact(self._run_id, str(path), folder)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; earlier values are replaced."""
        self._client.log_batch(self._run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def metrics(self) -> Mapping[str, float]:
        """The last value of each metric."""
        metrics: Mapping[str, float] = self._client.get_run(self._run_id).data.metrics
        return metrics

    def tags(self) -> Mapping[str, str]:
        """All tags."""
        tags: Mapping[str, str] = self._client.get_run(self._run_id).data.tags
        return tags

    def end(self, status: str) -> None:
        """Set the final status.

        Args:
            status: FINISHED, FAILED or KILLED.
        """
        self._client.set_terminated(self._run_id, status)

    def _log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        points = [Metric(name, float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=points)


def _curve(column: str) -> str:
    """Metric name of a column of history.csv.

    The prefixes train/ and val/ make sections in MLflow's charts, apart from the held-out metrics.
    """
    split, _, loss = column.partition("_")
    return f"{split}/{loss}" if split in {"train", "val"} else f"val/{column}"
