"""MLflow: one flat run for each trained model, in one experiment for each dataset.

Tracking never fails a stage. What could not be logged is warned about and made up for later: every stage after
training logs again whatever the store lacks, from the files that DVC keeps. A result that DVC restores from its
cache makes no run by itself.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import mlflow
import mlflow.pyfunc  # before _log_model, since it sets a warning filter of its own when it loads
import pandas as pd
import psutil
from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import DataType, ParamSchema, ParamSpec

from mobileyolo import environment
from mobileyolo.artifacts import Comparison, DatasetCard, MetricsRecord, TrainingPlan, TrainingRecord

SERVING_CODE = Path(__file__).with_name("serving.py")
PACKAGE = Path(__file__).parent
# Opens an experiment in MLflow's view of model training, not in the one of generative AI (MLflow 3).
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}


class Tracker:
    """The runs of one dataset's models, in whatever store MLflow is pointed at.

    Every public method returns without an error when the store can't be reached; the first failure is warned about
    and the rest of the process logs nothing more.
    """

    def __init__(self, dataset: str, card: DatasetCard) -> None:
        """Open the store, create the dataset's experiment, and mark runs whose process died.

        Args:
            dataset: a name for people, such as the folder's.
            card: what validation found the dataset to be.
        """
        self._dataset = dataset
        self._card = card
        self._client: MlflowClient | None = None
        self._experiment = ""
        with self._tolerating("opening the store"):
            self._client = _client()
            self._experiment = _experiment(self._client, f"{dataset}-{card.digest[:8]}")
            self._end_dead_runs()

    @contextmanager
    def training(self, planned: TrainingPlan) -> Iterator[LiveRun]:
        """A run that lives as long as the block: FINISHED, FAILED, or KILLED by a signal.

        It counts as trained only once `LiveRun.finish` was called.
        """
        live = LiveRun(self, self._start(planned))
        with _termination_raises():
            try:
                yield live
            except (KeyboardInterrupt, SystemExit):
                live.end("KILLED")
                raise
            except BaseException:
                live.end("FAILED")
                raise
        live.end("FINISHED")

    def log_training(self, record: TrainingRecord, history: pd.DataFrame) -> None:
        """Make sure that a trained model's run exists and has every epoch."""
        with self._tolerating(f"logging the training of {record.arm}"):
            self._ensure_run(record, history)

    def log_evaluation(
        self,
        record: TrainingRecord,
        history: pd.DataFrame,
        metrics: MetricsRecord,
        measured: dict[str, str | int | float],
        weights: Path,
    ) -> None:
        """Log held-out metrics and the loadable model.

        Args:
            record: the model that was measured.
            history: its training.
            metrics: what came out.
            measured: how: the split and the evaluate section.
            weights: its best.pt.
        """
        with self._tolerating(f"logging the evaluation of {record.arm}"):
            client, run_id = self._ensure_run(record, history)
            self._log_metrics(run_id, metrics.model_dump())
            _log_model(client, run_id, weights)
            self._set_tags(
                run_id, {"stage": "evaluated", **{f"evaluate.{key}": str(value) for key, value in measured.items()}}
            )

    def log_comparison(
        self, record: TrainingRecord, history: pd.DataFrame, comparison: Comparison, report: list[Path]
    ) -> None:
        """Log what a trained model's comparison came to, with the report and its figures.

        Args:
            record: one of the models that were compared.
            history: its training.
            comparison: the result.
            report: files to keep, in a folder named after the two backbones.
        """
        with self._tolerating(f"logging the comparison to {record.arm}"):
            client, run_id = self._ensure_run(record, history)
            pair = f"{comparison.candidate.backbone}-vs-{comparison.baseline.backbone}"
            latency = comparison.costs["latency_ms"]
            values = {"latency_ms": latency.candidate if record.arm == "candidate" else latency.baseline}
            tags = {"stage": "compared"}
            if record.arm == "candidate":
                for name, delta in comparison.metrics.items():
                    values |= {
                        f"delta/{name}": delta.delta,
                        f"delta/{name}_low": delta.low,
                        f"delta/{name}_high": delta.high,
                    }
                tags |= {"verdict": comparison.verdict, "compared.with": comparison.baseline.backbone}
                client.set_tag(run_id, "mlflow.note.content", comparison.reason)
            self._log_metrics(run_id, values)
            self._set_tags(run_id, tags)
            for path in report:
                client.log_artifact(run_id, str(path), f"report/{pair}")

    def _start(self, planned: TrainingPlan) -> str | None:
        with self._tolerating(f"starting the run of {planned.arm}"):
            return self._create_run(planned)
        return None

    def _create_run(self, planned: TrainingPlan) -> str:
        client = self._reached()
        experiment = environment.experiment_name()
        name = f"{planned.backbone}-s{planned.seed}" + (f"-{experiment}" if experiment else "")
        tags = {
            "arm": planned.arm,
            "stage": "training",
            "git.commit": _git_commit(),
            "data.digest": planned.data_digest,
            "recipe.digest": planned.recipe_digest,
            "host": platform.node(),
            "pid": str(os.getpid()),
            "pid.started": str(psutil.Process().create_time()),
            "device": environment.device() or "auto",
            "threads": str(environment.threads()),
            "mlflow.source.name": environment.stage_name() or "",
        }
        if experiment:
            tags["dvc.exp"] = experiment
        run_id: str = client.create_run(self._experiment, run_name=name, tags=tags).info.run_id
        values = {"backbone": planned.backbone, "width": planned.width, "seed": planned.seed}
        values |= {f"train.{key}": value for key, value in planned.recipe.items()}
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in values.items()])
        client.log_inputs(run_id, [DatasetInput(self._mlflow_dataset(), tags=[])])
        return run_id

    def _ensure_run(self, record: TrainingRecord, history: pd.DataFrame) -> tuple[MlflowClient, str]:
        """Find the run of these weights, or make it anew; either way with the whole history."""
        client = self._reached()
        wanted = f"tags.arm = '{record.arm}' and tags.\"weights.digest\" = '{record.weights_digest}'"
        found = client.search_runs([self._experiment], wanted, max_results=1)
        if found:
            return client, found[0].info.run_id
        run_id = self._create_run(record)
        for row in history.to_dict("records"):
            self._log_epoch(
                run_id,
                int(row["epoch"]),
                {column: float(row[column]) for column in history.columns if column != "epoch"},
            )
        self._mark_trained(run_id, record)
        client.set_terminated(run_id, "FINISHED")
        return client, run_id

    def _mark_trained(self, run_id: str, record: TrainingRecord) -> None:
        self._log_metrics(run_id, {"best_epoch": float(record.best_epoch)})
        # Last, and what `_ensure_run` searches for: a run that has it has everything before it.
        self._set_tags(run_id, {"stage": "trained", "weights.digest": record.weights_digest})

    def _log_epoch(self, run_id: str, epoch: int, values: dict[str, float]) -> None:
        self._log_metrics(run_id, {_curve(name): value for name, value in values.items()}, step=epoch)

    def _log_metrics(self, run_id: str, values: dict[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        self._reached().log_batch(run_id, metrics=[Metric(name, float(v), now, step) for name, v in values.items()])

    def _set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        self._reached().log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def _mlflow_dataset(self) -> Dataset:
        profile = {split: count.model_dump() for split, count in self._card.splits.items()}
        return Dataset(
            name=self._dataset,
            digest=self._card.digest[:32],
            source_type="local",
            source=json.dumps({"digest": self._card.digest}),
            schema=json.dumps({"names": list(self._card.names)}, ensure_ascii=False),
            profile=json.dumps(profile),
        )

    def _end_dead_runs(self) -> None:
        """Runs of this machine that still say RUNNING although their process is gone were killed."""
        client = self._reached()
        for run in client.search_runs([self._experiment], "attributes.status = 'RUNNING'"):
            if run.data.tags.get("host") == platform.node() and not _is_alive(run):
                client.set_terminated(run.info.run_id, "KILLED")

    def _reached(self) -> MlflowClient:
        if self._client is None:
            raise ConnectionError("the store could not be opened")
        return self._client

    @contextmanager
    def _tolerating(self, doing: str) -> Iterator[None]:
        """Turn any error of the store into one warning, after which nothing more is logged by this process."""
        try:
            yield
        except Exception as error:  # MLflow raises its own, SQLAlchemy's and requests' errors
            if self._client is not None or doing == "opening the store":
                warnings.warn(
                    f"MLflow: {doing} failed ({type(error).__name__}: {error}); the results are safe in DVC's files, "
                    "and the next stage that reaches the store logs what is missing",
                    stacklevel=3,
                )
            self._client = None


class LiveRun:
    """A training's run while it goes on."""

    def __init__(self, tracker: Tracker, run_id: str | None) -> None:
        """Wrap a run; without an id (the store is out of reach) every call does nothing."""
        self._tracker = tracker
        self._run_id = run_id

    def log_epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Log one epoch's losses and validation metrics."""
        self._tolerantly(lambda run_id: self._tracker._log_epoch(run_id, epoch, values))

    def finish(self, record: TrainingRecord) -> None:
        """Say which weights came out of it."""
        self._tolerantly(lambda run_id: self._tracker._mark_trained(run_id, record))

    def end(self, status: str) -> None:
        """Set the final status."""
        self._tolerantly(lambda run_id: self._tracker._reached().set_terminated(run_id, status))

    def _tolerantly(self, call: Callable[[str], None]) -> None:
        if self._run_id is not None:
            with self._tracker._tolerating("logging a running training"):
                call(self._run_id)


def _curve(column: str) -> str:
    """Name of a history's column: train/ and val/ make sections in MLflow's charts, apart from the held-out metrics."""
    split, _, loss = column.partition("_")
    return f"{split}/{loss}" if split in {"train", "val"} else f"val/{column}"


def _client() -> MlflowClient:
    """A client on MLFLOW_TRACKING_URI, else on mlflow.db in the main workspace, where a bare `mlflow ui` looks."""
    if mlflow.environment_variables.MLFLOW_TRACKING_URI.is_set():
        return MlflowClient()
    database = environment.main_workspace() / "mlflow.db"
    state = environment.main_workspace() / environment.STATE_DIR
    state.mkdir(parents=True, exist_ok=True)
    # Processes that create one database at the same time break it for good (MLflow 3.17).
    with FileLock(state / "mlflow.lock"):
        client = MlflowClient(f"sqlite:///{database.as_posix()}")
        client.search_experiments(max_results=1)
    return client


def _experiment(client: MlflowClient, name: str) -> str:
    """Id of an experiment, made where there is none."""
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # Artifacts of the default store belong to the main workspace, wherever this process runs.
    local = not mlflow.environment_variables.MLFLOW_TRACKING_URI.is_set()
    location = (environment.main_workspace() / "mlruns").as_uri() if local else None
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=_MODEL_TRAINING))
    except mlflow.exceptions.MlflowException:
        created = client.get_experiment_by_name(name)  # by another process, meanwhile
        if created is None:
            raise
        return str(created.experiment_id)


def _log_model(client: MlflowClient, run_id: str, weights: Path) -> None:
    """Keep the model as MLflow loads it: runs:/<id>/model."""
    if any(item.path == "model" for item in client.list_artifacts(run_id)):
        return
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # asks for type hints that have no spelling for our input
        mlflow.pyfunc.save_model(
            path=Path(folder) / "model",
            python_model=str(SERVING_CODE),
            artifacts={"weights": weights.resolve().as_posix()},
            code_paths=[str(PACKAGE)],
            pip_requirements=_serving_requirements(),
            signature=ModelSignature(params=ParamSchema([ParamSpec("conf", DataType.double, 0.25)])),
        )
        client.log_artifacts(run_id, str(Path(folder) / "model"), "model")


def _serving_requirements() -> list[str]:
    """What the model needs to predict, at the versions that it was trained with."""
    return [f"{name}=={version(name)}" for name in ("mlflow", "torch", "torchvision", "ultralytics", "pandas")]


def _is_alive(run: Run) -> bool:
    """Does the process that started a run still exist? A process id alone may have been given to another."""
    try:
        process = psutil.Process(int(run.data.tags["pid"]))
        return abs(process.create_time() - float(run.data.tags["pid.started"])) < 1
    except (psutil.Error, KeyError, ValueError):
        return False


def _git_commit() -> str:
    """The commit that is checked out, with -dirty where files differ from it; empty outside git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told.stdout.strip()


@contextmanager
def _termination_raises() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C does, so that the run ends as KILLED."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
