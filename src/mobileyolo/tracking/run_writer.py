"""What can be written into one run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mlflow.entities import DatasetInput, LoggedModel, Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from mobileyolo.core.records import TrainingRecord
from mobileyolo.tracking.model import find_model, has_model, log_model

Epoch = Mapping[str, float]  # a row of history.csv by column: `epoch`, counted from 1, losses and metrics


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
        self._logged: set[int] = set()  # epochs that it had before, as far as somebody asked

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log one epoch's losses and validation metrics, unless `log_missing_epochs` found it in the store.

        Args:
            epoch: counted from 1.
            values: by column of history.csv.
        """
        if epoch in self._logged:
            return
        self._log_metrics({_curve(column): value for column, value in values.items()}, step=epoch)

    def log_missing_epochs(self, history: Iterable[Epoch]) -> None:
        """Log the epochs that the run lacks."""
        self._logged = set(self._points("map50_95"))
        for row in history:
            self.log_epoch(int(row["epoch"]), {column: value for column, value in row.items() if column != "epoch"})

    def agrees_with(self, history: Sequence[Epoch]) -> bool:
        """Are the epochs that both the run and the history have the same?"""
        for column in history[0].keys() - {"epoch"} if history else ():
            points = self._points(column)
            if not all(_equal(row[column], points.get(int(row["epoch"]), row[column])) for row in history):
                return False
        return True

    def mark_trained(self, record: TrainingRecord) -> None:
        """Write down the best epoch and the digest of its weights, by which the run is found later."""
        self.log_changed_metrics({"best_epoch": float(record.best_epoch)})
        self.set_tags({"stage": "trained", "weights.digest": record.weights_digest})

    def log_params(self, values: Mapping[str, str]) -> None:
        """Log parameters."""
        self._client.log_batch(self._run_id, params=[Param(key, value) for key, value in values.items()])

    def log_input(self, dataset: DatasetInput) -> None:
        """Log the dataset that the run was trained on."""
        self._client.log_inputs(self._run_id, [dataset])

    def log_changed_metrics(self, values: Mapping[str, float]) -> None:
        """Log the metrics that the run lacks or has with another value; MLflow draws two equal points as a curve."""
        self._log_metrics(dict(values.items() - self.metrics().items()))

    def log_model_metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics of the run's model: the same points go to the run and to the model, with the dataset.

        The model has to be there already. A metric that the run has and the model lacks, as one that was logged again,
        goes to the model with the time that it has in the run.
        """
        run, model = self._client.get_run(self._run_id), self.model()
        dataset = run.inputs.dataset_inputs[0].dataset if run.inputs.dataset_inputs else None
        now = int(time.time() * 1000)
        linked = {(metric.key, metric.value) for metric in model.metrics or ()}
        points = []
        for name, value in values.items():
            if run.data.metrics.get(name) != value:
                points.append(Metric(name, float(value), now, 0))
            elif (name, value) not in linked:
                points.append(self._client.get_metric_history(self._run_id, name)[-1])
        of_model = [
            Metric(
                *(point.key, point.value, point.timestamp, point.step),
                model_id=model.model_id,
                dataset_name=dataset and dataset.name,
                dataset_digest=dataset and dataset.digest,
                run_id=self._run_id,
            )
            for point in points
        ]
        self._client.log_batch(self._run_id, metrics=of_model)

    def keep_model(self, weights: Path) -> None:
        """Store the model in a form that MLflow can load.

        Args:
            weights: the model's best.pt.
        """
        log_model(self._client, self._run_id, weights)

    def model(self) -> LoggedModel:
        """The run's model as MLflow lists it.

        Raises:
            FileNotFoundError: it was not stored.
        """
        model = find_model(self._client, self._run_id)
        if model is None:
            raise FileNotFoundError(f"the run {self._run_id} has no model")
        return model

    def has_model(self) -> bool:
        """Is the model there?"""
        return has_model(self._client, self._run_id)

    def keep_files(self, files: Iterable[Path], folder: str) -> None:
        """Copy files, and folders with all that is in them, into a folder of the run's artifacts."""
        for path in files:
            if path.is_dir():
                self._client.log_artifacts(self._run_id, str(path), f"{folder}/{path.name}")
            else:
                self._client.log_artifact(self._run_id, str(path), folder)

    def keep_text(self, text: str, file: str) -> None:
        """Write a text into a file among the run's artifacts, in place of one that is there."""
        self._client.log_text(self._run_id, text, file)

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

    def page(self) -> str:
        """Address of the run's page, from any page of MLflow's."""
        return f"#/experiments/{self._client.get_run(self._run_id).info.experiment_id}/runs/{self._run_id}"

    def resume(self) -> None:
        """Set a run that was killed to RUNNING again."""
        if "reason" in self.tags():
            self._client.delete_tag(self._run_id, "reason")
        self._client.update_run(self._run_id, "RUNNING")

    def end(self, status: str, reason: str = "") -> None:
        """Set the final status. A run that has its weights was trained to its end, whatever came later: FINISHED.

        Args:
            status: FINISHED, FAILED or KILLED.
            reason: a line, unless it is FINISHED.
        """
        if status != "FINISHED" and "weights.digest" in self.tags():
            status, reason = "FINISHED", ""
        if reason:
            self.set_tags({"reason": reason})
        self._client.set_terminated(self._run_id, status)

    def _points(self, column: str) -> dict[int, float]:
        """The values of a curve by epoch."""
        return {point.step: point.value for point in self._client.get_metric_history(self._run_id, _curve(column))}

    def _log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        points = [Metric(name, float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=points)


def _equal(one: float, other: float) -> bool:
    """Is it the same number, but for what CSV costs?"""
    return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))


def _curve(column: str) -> str:
    """Metric name of a column of history.csv.

    The prefixes train/ and val/ make sections in MLflow's charts, apart from the held-out metrics.
    """
    split, _, loss = column.partition("_")
    return f"{split}/{loss}" if split in {"train", "val"} else f"val/{column}"
