"""What stages and commands call: to log a training while it runs, and results afterwards, and to read what is known.

None of it fails a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mobileyolo.core import environment
from mobileyolo.core.backbones import Arm
from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import (
    CHINESE_REPORT_FILE,
    COMPARISON_FILE,
    ERRORS_DIR,
    FIGURES_DIR,
    REPORT_FILE,
    SUMMARY_FILE,
    VALIDATION,
    ModelFiles,
    start_file,
)
from mobileyolo.core.records import DatasetCard, History, TrainingPlan, TrainingRecord, ValidationVerdict
from mobileyolo.core.results import ArmResult
from mobileyolo.leaderboard.runs import TrackedModel, TrackedRun
from mobileyolo.tracking import results
from mobileyolo.tracking.dataset_runs import Runs
from mobileyolo.tracking.earlier_runs import find_models, find_runs, history_of
from mobileyolo.tracking.endings import end_lost_runs, ending
from mobileyolo.tracking.run_writer import RunWriter
from mobileyolo.tracking.store import open_existing_store, open_store
from mobileyolo.tracking.store_errors import STORE_ERRORS, StoreErrorsAsWarnings, in_words
from mobileyolo.verdict.records import Comparison

# Great Expectations' pages are left out: they are 4 MB for each run, and hold times, so that `compare`, which would
# have to depend on them, would run again after every validation.
VALIDATION_FILES = (VALIDATION.page, VALIDATION.findings, VALIDATION.verdict)


@dataclass(frozen=True)
class Logged:
    """What became of a comparison that was to be logged.

    Attributes:
        complete: does the store hold all of it?
        way: how somebody at a terminal comes to the page that compares the dataset's models.
    """

    complete: bool
    way: str


class LiveRun:
    """The run of a training that goes on in this process."""

    def __init__(self, run: RunWriter | None, errors_as_warnings: StoreErrorsAsWarnings) -> None:
        """Take the run.

        Args:
            run: where to log; None if the store can't be reached, and every call then does nothing.
            errors_as_warnings: the tracker's.
        """
        self._run = run
        self._errors_as_warnings = errors_as_warnings
        self._has_lost_epochs = False
        self._has_lost_weights = False

    def log_epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Log one epoch's losses and validation metrics. Once that has failed, a later stage logs the rest."""
        if self._run is None or self._has_lost_epochs:
            return
        with self._errors_as_warnings("logging an epoch") as attempt:
            self._run.log_epoch(epoch, values)
        self._has_lost_epochs = attempt.failed

    def finish(self, record: TrainingRecord) -> None:
        """Log which weights the training made."""
        if self._run is not None:
            with self._errors_as_warnings("logging the end of a training") as attempt:
                self._run.mark_trained(record)
            self._has_lost_weights = attempt.failed

    def end(self, status: str, reason: str = "") -> None:
        """Set the final status: FINISHED, FAILED or KILLED, and the reason of the last two.

        A run that could not be told its weights keeps its status: a later stage completes it.
        """
        if self._run is not None and not self._has_lost_weights:
            with self._errors_as_warnings("ending a run"):
                self._run.end(status, reason)


class Tracker:
    """The runs of one dataset's models, in the store that MLflow is configured for.

    No method raises an error because of the store. The first failure is warned about, see `StoreErrorsAsWarnings`.
    """

    def __init__(self, runs: Runs | None, errors_as_warnings: StoreErrorsAsWarnings) -> None:
        """Take the runs.

        Args:
            runs: where to log; None if the store could not be opened, and nothing is logged then.
            errors_as_warnings: what was used to open the store, so that there is one warning in all.
        """
        self._runs = runs
        self._errors_as_warnings = errors_as_warnings

    @classmethod
    def open(cls, dataset: str, card: DatasetCard) -> Tracker:
        """Open the store.

        Args:
            dataset: its folder, as data.dir has it; the last part is its name.
            card: what validation found the dataset to be.
        """
        runs: Runs | None = None
        errors_as_warnings = StoreErrorsAsWarnings()
        with errors_as_warnings("opening the store"):
            runs = Runs.open(dataset, card)
        return cls(runs, errors_as_warnings)

    @contextmanager
    def training(self, planned: TrainingPlan, done: Sequence[Mapping[str, float]] = ()) -> Iterator[LiveRun]:
        """A run that lasts as long as the block: FINISHED, FAILED, or KILLED by a signal.

        It counts as trained only once `LiveRun.finish` was called.

        Args:
            planned: the training.
            done: where it goes on after a kill, the epochs that were trained before, as rows of history.csv. The run
                of that process then goes on, too, and each epoch is in it once.
        """
        run = None
        with self._errors_as_warnings(f"creating the run of {planned.arm} s{planned.seed}"):
            run = self._opened().start_run(planned, done)
        live = LiveRun(run, self._errors_as_warnings)
        with environment.termination_raises():
            try:
                yield live
            except BaseException as error:
                live.end(*ending(error))
                raise
        live.end("FINISHED")

    def log_evaluation(self, result: ArmResult, history: pd.DataFrame, weights: Path) -> None:
        """Log held-out metrics and the loadable model of a trained model.

        Args:
            result: what was trained and measured.
            history: of its training.
            weights: its best.pt.
        """
        with self._errors_as_warnings(f"logging the evaluation of {result.label}"):
            results.log_evaluation(self._opened(), result, history, weights)

    def log_comparison(
        self, result: ArmResult, history: pd.DataFrame, weights: Path, comparison: Comparison, report: Sequence[Path]
    ) -> None:
        """Log the outcome of a trained model's comparison, and what the store lacks of the model itself.

        Args:
            result: one of the models that were compared.
            history: of its training.
            weights: its best.pt.
            comparison: the outcome.
            report: files and folders to keep, in a folder named after the two backbones.
        """
        with self._errors_as_warnings(f"logging the comparison to {result.label}"):
            results.log_comparison(self._opened(), result, history, weights, comparison, report)

    def register(self, arms: Mapping[Arm, Sequence[ArmResult]], comparison: Comparison) -> str | None:
        """Register the models of a comparison that were logged, and move the aliases.

        Args:
            arms: the models, one for each seed.
            comparison: the outcome.

        Returns:
            Who is the champion, and why, in a sentence; None if that failed, or if something was not logged before.
        """
        if not self.has_failed:
            with self._errors_as_warnings("registering the models"):
                return results.register(self._opened(), arms, comparison)
        return None

    def log_validation(
        self, training: TrainingRecord, history: pd.DataFrame, verdict: ValidationVerdict, report: Sequence[Path]
    ) -> None:
        """Log what validation found in the dataset that a model was trained on.

        Args:
            training: what was trained.
            history: of that training.
            verdict: what was found.
            report: files to keep.
        """
        with self._errors_as_warnings(f"logging the validation to {training.arm} s{training.seed}"):
            results.log_validation(self._opened(), training, history, verdict, report)

    def log_export(
        self, training: TrainingRecord, history: pd.DataFrame, values: Mapping[str, float], record: Path
    ) -> None:
        """Log how far a trained model's exported files are from it.

        Args:
            training: what was trained.
            history: of that training.
            values: metrics by name.
            record: the file with the details, kept with the run.
        """
        with self._errors_as_warnings(f"logging the export of {training.arm} s{training.seed}"):
            results.log_export(self._opened(), training, history, values, record)

    @property
    def has_failed(self) -> bool:
        """Is something not in the store that was to be logged?"""
        return self._errors_as_warnings.warned

    @property
    def way(self) -> str:
        """How somebody at a terminal comes to the page that compares the dataset's models, as far as it is known."""
        return self._runs.way if self._runs else "mlflow ui"

    def _opened(self) -> Runs:
        if self._runs is None:
            raise ConnectionError("the store could not be opened")
        return self._runs


def read_models(data_digest: str) -> list[TrackedModel]:
    """Every model of the store that was trained on this data; none, with a warning, if the store can't be read."""
    return _read_models(data_digest)[0]


def _read_models(data_digest: str) -> tuple[list[TrackedModel], bool]:
    """These models, and whether they stay the same for as long as nobody writes into the store."""
    with StoreErrorsAsWarnings("so nothing is known of earlier candidates and seeds.")("reading earlier runs"):
        client = open_store()
        # A stage that was killed may have its outputs from DVC's cache since, and log nothing.
        some_go_on = end_lost_runs(client)
        return find_models(client, data_digest), not some_go_on
    return [], False


def read_runs(store: str | None = None) -> list[TrackedRun]:
    """Every run of this project in a store, oldest first; nothing in the store is changed.

    Args:
        store: its address; by default the one that the stages log to.

    Raises:
        UserError: there is no store, or it can't be read.
    """
    try:
        return find_runs(open_existing_store(store), "tags.\"data.digest\" LIKE '%'")
    except STORE_ERRORS as error:
        raise UserError(f"MLflow's store can't be read: {in_words(error)}") from error


def read_history(arms: Mapping[Arm, Sequence[ArmResult]]) -> tuple[History, bool]:
    """What the store knows of a comparison's data.

    Args:
        arms: the comparison's models, one for each seed.

    Returns:
        That, and whether the next answer is the same for as long as nobody writes into the store: not where it could
        not be read, and not while a run goes on, which may end without a word.
    """
    models, lasting = _read_models(arms["candidate"][0].training.data_digest)
    return history_of(arms, models), lasting


def log_results(
    dataset: str,
    card: DatasetCard,
    verdict: ValidationVerdict,
    arms: Mapping[Arm, Sequence[ArmResult]],
    comparison: Comparison,
    teacher: ArmResult | None = None,
) -> Logged:
    """Log what the store lacks of a comparison, of every model in it, and of their dataset's validation.

    Then register these models, and say who is the dataset's champion. If the store still lacks something, a warning has
    said why.

    Args:
        dataset: the dataset's folder, as data.dir has it.
        card: what validation found the dataset to be.
        verdict: what was wrong with it.
        arms: the models, one for each seed.
        comparison: the outcome.
        teacher: the model that was trained to teach, if there is one; it is not compared.
    """
    tracker = Tracker.open(dataset, card)
    if teacher is not None:
        files = ModelFiles(teacher.training.arm, teacher.training.seed)
        history = pd.read_csv(files.history)
        tracker.log_validation(teacher.training, history, verdict, VALIDATION_FILES)
        tracker.log_evaluation(teacher, history, files.weights)
    figures = sorted(FIGURES_DIR.glob("*.png"))
    report = [REPORT_FILE, CHINESE_REPORT_FILE, ERRORS_DIR, SUMMARY_FILE, COMPARISON_FILE, *figures]
    for arm, models in arms.items():
        for result in models:
            files = ModelFiles(arm, result.training.seed)
            history = pd.read_csv(files.history)
            tracker.log_validation(result.training, history, verdict, VALIDATION_FILES)
            tracker.log_comparison(result, history, files.weights, comparison, [*report, start_file(arm)])
    if champion := tracker.register(arms, comparison):
        say(champion)
    return Logged(not tracker.has_failed, tracker.way)
