"""MLflow: one flat run for each trained model, in one experiment for each dataset.

Tracking never fails a stage. What could not be logged is warned about and made up for later: every stage after
training logs again whatever the store lacks, from the files that DVC keeps. A result that DVC restores from its
cache makes no run by itself.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
import psutil
from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from mobileyolo import environment
from mobileyolo.artifacts import Comparison, DatasetCard, TrainingPlan, TrainingRecord
from mobileyolo.config import Arm
from mobileyolo.files import COMPARISON_FILE, FIGURES_DIR, REPORT_FILE, SUMMARY_FILE, ModelFiles, start_file
from mobileyolo.results import ArmResult

SERVING_CODE = Path(__file__).with_name("serving.py")
# The table that serving.py returns, and Ultralytics' defaults. Its inputs are paths or arrays: no schema says that.
_SERVING_SIGNATURE = ModelSignature(
    outputs=Schema(
        [
            ColSpec(DataType.long, "image"),
            ColSpec(DataType.long, "class_id"),
            ColSpec(DataType.string, "name"),
            *[ColSpec(DataType.double, name) for name in ("confidence", "x1", "y1", "x2", "y2")],
        ]
    ),
    params=ParamSchema([ParamSpec("conf", DataType.double, 0.25), ParamSpec("iou", DataType.double, 0.7)]),
)
# What MLflow 3 calls an experiment that trains models, so that its pages need not guess.
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}


class Tracker:
    """The runs of one dataset's models, in whatever store MLflow is pointed at.

    Every public method returns without an error when the store can't be reached. The first failure is warned about.
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
        self._warned = False
        with self._tolerating("opening the store"):
            client = _client()
            self._experiment = _experiment(client, f"{dataset}-{card.digest[:8]}")
            _end_dead_runs(client)
            self._client = client

    @contextmanager
    def training(self, planned: TrainingPlan) -> Iterator[LiveRun]:
        """A run that lives as long as the block: FINISHED, FAILED, or KILLED by a signal.

        It counts as trained only once `LiveRun.finish` was called.
        """
        run_id = None
        with self._tolerating(f"starting the run of {planned.arm}"):
            run_id = self._create_run(planned, _whereabouts())
        live = LiveRun(self, run_id)
        with environment.termination_raises():
            try:
                yield live
            except (KeyboardInterrupt, SystemExit):
                live.end("KILLED")
                raise
            except BaseException:
                live.end("FAILED")
                raise
        live.end("FINISHED")

    def log_evaluation(self, result: ArmResult, history: pd.DataFrame, weights: Path) -> None:
        """Log held-out metrics and the loadable model of a trained model.

        Args:
            result: what was trained and measured.
            history: its training.
            weights: its best.pt.
        """
        with self._tolerating(f"logging the evaluation of {result.label}"):
            self._evaluated(result, history, weights)

    def log_comparison(
        self, result: ArmResult, history: pd.DataFrame, weights: Path, comparison: Comparison, report: list[Path]
    ) -> None:
        """Log what a trained model's comparison came to, and whatever the store lacks of the model itself.

        Args:
            result: one of the models that were compared.
            history: its training.
            weights: its best.pt.
            comparison: the outcome.
            report: files to keep, in a folder named after the two backbones.
        """
        with self._tolerating(f"logging the comparison to {result.label}"):
            run_id = self._evaluated(result, history, weights)
            pair = f"{comparison.candidate.backbone}-vs-{comparison.baseline.backbone}"
            candidate = result.training.arm == "candidate"
            values = {
                name: cost.candidate if candidate else cost.baseline
                for name, cost in comparison.costs.items()
                if name.startswith("latency")
            }
            tags = {"stage": "compared"}
            if candidate:
                for name, delta in comparison.metrics.items():
                    values |= {
                        f"delta/{name}": delta.delta,
                        f"delta/{name}_low": delta.low,
                        f"delta/{name}_high": delta.high,
                    }
                tags |= {
                    "verdict": comparison.verdict,
                    "compared.with": comparison.baseline.backbone,
                    "mlflow.note.content": comparison.reason,
                }
            self._log_metrics(run_id, values)
            for path in report:
                self._reached().log_artifact(run_id, str(path), f"report/{pair}")
            self._reached().log_artifact(run_id, str(start_file(result.training.arm)))
            self._set_tags(run_id, tags)

    def log_export(
        self, training: TrainingRecord, history: pd.DataFrame, values: Mapping[str, float], record: Path
    ) -> None:
        """Log how far a trained model's exported files are from it.

        Args:
            training: what was trained.
            history: its training.
            values: metrics by name.
            record: the file that says more, kept with the run.
        """
        with self._tolerating(f"logging the export of {training.arm} s{training.seed}"):
            run_id = self._trained(training, history)
            self._log_metrics(run_id, dict(values))
            self._reached().log_artifact(run_id, str(record), "export")

    def _create_run(self, planned: TrainingPlan, whereabouts: dict[str, str]) -> str:
        client = self._reached()
        experiment = environment.experiment_name()
        name = f"{planned.backbone}-s{planned.seed}" + (f"-{experiment}" if experiment else "")
        tags = {
            "arm": planned.arm,
            "stage": "training",
            "data.digest": planned.data_digest,
            "recipe.digest": planned.recipe_digest,
            "start": str(planned.start),
            **{f"start.{role}.digest": source.digest or "" for role, source in planned.start.sources.items()},
            **planned.engine,
            **whereabouts,
        }
        if planned.teacher.digest:
            tags["teacher.digest"] = planned.teacher.digest
        if experiment:
            tags["dvc.exp"] = experiment
        run_id: str = client.create_run(self._experiment, run_name=name, tags=tags).info.run_id
        values = {"backbone": planned.backbone, "width": planned.width, "seed": planned.seed}
        values |= {f"init.{role}": source.name for role, source in planned.start.sources.items()}
        values |= {f"train.{key}": value for key, value in planned.recipe.items()}
        values |= {"train.teacher": planned.teacher.name, "train.dis": planned.teacher.dis}
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in values.items()])
        client.log_inputs(run_id, [DatasetInput(self._mlflow_dataset(), tags=[])])
        return run_id

    def _trained(self, record: TrainingRecord, history: pd.DataFrame) -> str:
        """Id of the run of these weights, made anew where there is none; either way with the whole history."""
        client = self._reached()
        wanted = f"tags.arm = '{record.arm}' and tags.\"weights.digest\" = '{record.weights_digest}'"
        found = client.search_runs([self._experiment], wanted, max_results=1)
        run_id: str = found[0].info.run_id if found else self._create_run(record, {"replayed": "true"})
        logged = {point.step for point in client.get_metric_history(run_id, _curve("map50_95"))}
        for row in history.to_dict("records"):
            if int(row["epoch"]) not in logged:
                self._log_epoch(run_id, int(row["epoch"]), {column: row[column] for column in history.columns[1:]})
        if not found:
            self._mark_trained(run_id, record)
            client.set_terminated(run_id, "FINISHED")
        return run_id

    def _evaluated(self, result: ArmResult, history: pd.DataFrame, weights: Path) -> str:
        """Id of the run of these weights, with its held-out metrics and its model."""
        run_id = self._trained(result.training, history)
        client = self._reached()
        measured = {f"evaluate.{key}": value for key, value in result.statistics.measured.items()}
        measured["evaluate.split"] = result.statistics.split
        tags = client.get_run(run_id).data.tags
        if tags.get("stage") == "trained" or measured.items() - tags.items():
            self._log_metrics(run_id, result.metrics.model_dump())
            _log_model(client, run_id, weights)
            self._set_tags(run_id, {**measured, "stage": "evaluated"})
        return run_id

    def _mark_trained(self, run_id: str, record: TrainingRecord) -> None:
        self._log_metrics(run_id, {"best_epoch": float(record.best_epoch)})
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

    def _reached(self) -> MlflowClient:
        if self._client is None:
            raise ConnectionError("the store could not be opened")
        return self._client

    @contextmanager
    def _tolerating(self, doing: str) -> Iterator[None]:
        """Turn errors of the store into one warning."""
        try:
            yield
        except Exception as error:  # MLflow raises its own, SQLAlchemy's and requests' errors
            if not self._warned:
                warnings.warn(
                    f"MLflow: {doing} failed ({type(error).__name__}: {error}); the results are safe in DVC's files. "
                    "Later stages log what is missing, and so does `python -m mobileyolo log`.",
                    stacklevel=3,
                )
            self._warned = True


class LiveRun:
    """A training's run while it goes on."""

    def __init__(self, tracker: Tracker, run_id: str | None) -> None:
        """Wrap a run; without an id (the store is out of reach) every call does nothing."""
        self._tracker = tracker
        self._run_id = run_id
        self._lost = False

    def log_epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Log one epoch's losses and validation metrics; once that failed, leave the rest to a later stage."""
        if not self._lost:
            self._lost = not self._try(lambda run_id: self._tracker._log_epoch(run_id, epoch, values))

    def finish(self, record: TrainingRecord) -> None:
        """Say which weights came out of it."""
        self._try(lambda run_id: self._tracker._mark_trained(run_id, record))

    def end(self, status: str) -> None:
        """Set the final status."""
        self._try(lambda run_id: self._tracker._reached().set_terminated(run_id, status))

    def _try(self, call: Callable[[str], None]) -> bool:
        done = False
        if self._run_id is not None:
            with self._tracker._tolerating("logging a running training"):
                call(self._run_id)
                done = True
        return done


def log_results(
    dataset: str, card: DatasetCard, arms: Mapping[Arm, Sequence[ArmResult]], comparison: Comparison
) -> None:
    """Log a comparison and every model in it from DVC's files, as far as the store lacks them."""
    tracker = Tracker(dataset, card)
    report = [REPORT_FILE, SUMMARY_FILE, COMPARISON_FILE, *sorted(FIGURES_DIR.glob("*.png"))]
    for results in arms.values():
        for result in results:
            files = ModelFiles(result.training.arm, result.training.seed)
            tracker.log_comparison(result, pd.read_csv(files.history), files.weights, comparison, report)


def _whereabouts() -> dict[str, str]:
    """Who trains, and where: what tells later whether the process is still alive."""
    return {
        "git.commit": environment.git_commit(),
        "host": platform.node(),
        "pid": str(os.getpid()),
        "pid.started": str(psutil.Process().create_time()),
        "threads": str(environment.threads()),
        "mlflow.source.name": environment.stage_name() or "",
    }


def _end_dead_runs(client: MlflowClient) -> None:
    """Runs of this machine that still say RUNNING although their process is gone were killed."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    running = f"attributes.status = 'RUNNING' and tags.host = '{platform.node()}'"
    for run in client.search_runs(experiments, running):
        if not _is_alive(run):
            client.set_terminated(run.info.run_id, "KILLED")


def _curve(column: str) -> str:
    """Name of a history's column: train/ and val/ make sections in MLflow's charts, apart from the held-out metrics."""
    split, _, loss = column.partition("_")
    return f"{split}/{loss}" if split in {"train", "val"} else f"val/{column}"


def _client() -> MlflowClient:
    """A client on MLFLOW_TRACKING_URI, else on mlflow.db in the main workspace, where a bare `mlflow ui` looks."""
    uri = _store()
    if not uri.startswith("sqlite:"):
        return MlflowClient(uri)
    state = environment.main_workspace() / environment.STATE_DIR
    state.mkdir(parents=True, exist_ok=True)
    # Processes that create one database at the same time break it for good (MLflow 3.17).
    with FileLock(state / "mlflow.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def _store() -> str:
    """Address of the store; a relative database belongs to the main workspace, wherever this process runs."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    scheme, separator, path = uri.partition(":///")
    if scheme == "sqlite" and separator and not Path(path).is_absolute():
        return f"sqlite:///{(environment.main_workspace() / path).as_posix()}"
    return uri


def _experiment(client: MlflowClient, name: str) -> str:
    """Id of an experiment, made where there is none."""
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # With a database there is no server to keep artifacts; MLflow would put them below this process' folder, which is
    # a temporary one in a queued experiment.
    database = not _store().startswith(("http:", "https:", "databricks"))
    location = (environment.main_workspace() / "mlruns").as_uri() if database else None
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
    # MLflow asks for an input example and resets the filters that would hide the question.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True):
        mlflow.pyfunc.save_model(
            path=Path(folder) / "model",
            python_model=str(SERVING_CODE),
            artifacts={"weights": weights.resolve().as_posix()},
            pip_requirements=_serving_requirements(),
            signature=_SERVING_SIGNATURE,
        )
        client.log_artifacts(run_id, str(Path(folder) / "model"), "model")


def _serving_requirements() -> list[str]:
    """What the model needs to predict, at the versions that it was trained with."""
    return [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "torch", "torchvision", "ultralytics")]


def _is_alive(run: Run) -> bool:
    """Does the process that started a run still exist? A process id alone may have been given to another."""
    try:
        process = psutil.Process(int(run.data.tags["pid"]))
        return abs(process.create_time() - float(run.data.tags["pid.started"])) < 1
    except (psutil.Error, KeyError, ValueError):
        return False
