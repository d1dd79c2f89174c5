"""The runs: what is logged of a model while it trains, and made up for once it lies in DVC's files."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from mobileyolo.core import environment
from mobileyolo.core.backbones import Arm
from mobileyolo.core.files import (
    COMPARISON_FILE,
    FIGURES_DIR,
    REPORT_FILE,
    SUMMARY_FILE,
    VALIDATION,
    ModelFiles,
    start_file,
)
from mobileyolo.core.records import SEVERITIES, DatasetCard, TrainingPlan, TrainingRecord, ValidationVerdict
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking.dataset import dataset_input
from mobileyolo.tracking.model import log_model
from mobileyolo.tracking.store import end_dead_runs, experiment_id, open_store, whereabouts
from mobileyolo.verdict.records import Comparison

# Not Great Expectations' pages: 4 MB of fonts and pictures a run, and times, so that `compare` would always run again.
VALIDATION_FILES = (VALIDATION.page, VALIDATION.findings, VALIDATION.verdict)


class Tracker:
    """The runs of one dataset's models, in whatever store MLflow is pointed at.

    Every public method returns without an error when the store can't be reached. The first failure is warned about.
    """

    def __init__(self, dataset: str, card: DatasetCard) -> None:
        """Open the store, create the dataset's experiment, and mark runs whose process died.

        Args:
            dataset: its folder, as data.dir has it; the last part is its name.
            card: what validation found the dataset to be.
        """
        self._dataset = dataset
        self._card = card
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._warned = False
        with self._tolerating("opening the store"):
            client = open_store()
            self._experiment = experiment_id(client, f"{Path(dataset).name}-{card.digest[:8]}")
            end_dead_runs(client)
            self._client = client

    @contextmanager
    def training(self, planned: TrainingPlan) -> Iterator[LiveRun]:
        """A run that lives as long as the block: FINISHED, FAILED, or KILLED by a signal.

        It counts as trained only once `LiveRun.finish` was called.
        """
        run_id = None
        with self._tolerating(f"starting the run of {planned.arm}"):
            run_id = self._create_run(planned, whereabouts())
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
            self._set_metrics(run_id, values)
            self._keep(run_id, report, f"report/{pair}")
            self._set_tags(run_id, tags)

    def log_validation(
        self, training: TrainingRecord, history: pd.DataFrame, verdict: ValidationVerdict, report: list[Path]
    ) -> None:
        """Log what validation found in the dataset that a model was trained on.

        Args:
            training: what was trained.
            history: its training.
            verdict: what was found.
            report: files to keep.
        """
        with self._tolerating(f"logging the validation to {training.arm} s{training.seed}"):
            run_id = self._trained(training, history)
            logged = self._reached().get_run(run_id).data.metrics
            # The digest is that of the clean rows: what was left out may have been mended since, and is then 0.
            values = {name: 0.0 for name in logged if name.startswith("validation.")}
            severities = [finding.severity for finding in verdict.findings.values()]
            values |= {f"validation.{kind}": finding.count for kind, finding in verdict.findings.items()}
            values |= {f"validation.{severity}s": severities.count(severity) for severity in SEVERITIES}
            self._set_metrics(run_id, values)
            self._keep(run_id, report, "validation")
            self._set_tags(run_id, {"validation.passed": str(verdict.passed).lower()})

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
            self._set_metrics(run_id, values)
            self._keep(run_id, [record], "export")

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
            **({"teacher.digest": planned.teacher.digest} if planned.teacher.digest else {}),
            **planned.engine,
            **whereabouts,
        }
        if experiment:
            tags["dvc.exp"] = experiment
        run_id: str = client.create_run(self._experiment, run_name=name, tags=tags).info.run_id
        values = {"backbone": planned.backbone, "width": planned.width, "seed": planned.seed}
        values |= {f"init.{role}": source.name for role, source in planned.start.sources.items()}
        values |= {f"train.{key}": value for key, value in planned.recipe.items()}
        values |= {"train.teacher": planned.teacher.name, "train.dis": planned.teacher.dis}
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in values.items()])
        client.log_inputs(run_id, [dataset_input(self._dataset, self._card)])
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
            log_model(client, run_id, weights)
            self._set_tags(run_id, {**measured, "stage": "evaluated"})
        return run_id

    def _mark_trained(self, run_id: str, record: TrainingRecord) -> None:
        self._log_metrics(run_id, {"best_epoch": float(record.best_epoch)})
        self._set_tags(run_id, {"stage": "trained", "weights.digest": record.weights_digest})

    def _log_epoch(self, run_id: str, epoch: int, values: dict[str, float]) -> None:
        self._log_metrics(run_id, {_curve(name): value for name, value in values.items()}, step=epoch)

    def _set_metrics(self, run_id: str, values: Mapping[str, float]) -> None:
        """Log those that the run has otherwise or not at all: a second point would make a curve of a number."""
        logged = self._reached().get_run(run_id).data.metrics
        self._log_metrics(run_id, dict(values.items() - logged.items()))

    def _keep(self, run_id: str, files: Sequence[Path], folder: str) -> None:
        for path in files:
            self._reached().log_artifact(run_id, str(path), folder)

    def _log_metrics(self, run_id: str, values: dict[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        self._reached().log_batch(run_id, metrics=[Metric(name, float(v), now, step) for name, v in values.items()])

    def _set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        self._reached().log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

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
    dataset: str,
    card: DatasetCard,
    verdict: ValidationVerdict,
    arms: Mapping[Arm, Sequence[ArmResult]],
    comparison: Comparison,
) -> None:
    """Log a comparison, every model in it and their dataset's validation, as far as the store lacks them.

    Args:
        dataset: the dataset's folder, as data.dir has it.
        card: what validation found the dataset to be.
        verdict: and what was wrong with it.
        arms: the models, one for each seed.
        comparison: what they came to.
    """
    tracker = Tracker(dataset, card)
    report = [REPORT_FILE, SUMMARY_FILE, COMPARISON_FILE, *sorted(FIGURES_DIR.glob("*.png"))]
    for arm, results in arms.items():
        for result in results:
            files, kept = ModelFiles(arm, result.training.seed), [*report, start_file(arm)]
            history = pd.read_csv(files.history)
            tracker.log_validation(result.training, history, verdict, list(VALIDATION_FILES))
            tracker.log_comparison(result, history, files.weights, comparison, kept)


def _curve(column: str) -> str:
    """Name of a history's column: train/ and val/ make sections in MLflow's charts, apart from the held-out metrics."""
    split, _, loss = column.partition("_")
    return f"{split}/{loss}" if split in {"train", "val"} else f"val/{column}"
