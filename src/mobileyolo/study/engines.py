"""What runs the trials of a study. The seam is `Engine`; the one here is DVC, on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from mobileyolo.core.backbones import Arm
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import (
    COMPARISON_FILE,
    DATASET_FILE,
    HISTORY_FILE,
    LATENCY_FILE,
    SCENES_FILE,
    ModelFiles,
    offer_file,
)
from mobileyolo.core.records import (
    DatasetCard,
    History,
    LatencyRecord,
    MetricsRecord,
    OfferRecord,
    TrainingRecord,
    TrainingTime,
)
from mobileyolo.core.results import ArmEvidence, ArmResult, Statistics
from mobileyolo.core.tables import Scenes
from mobileyolo.experiments import Experiment, command_beside, present_experiments
from mobileyolo.family.members import Detections, Evidence
from mobileyolo.study.trials import Trial
from mobileyolo.study.watching import Progress, training_since
from mobileyolo.verdict.comparison import Circumstances, compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison

PATIENCE = 60  # seconds that a trial which was asked to stop has to close what it has opened


class Work(Protocol):
    """A trial that runs."""

    def ended(self, seconds: float) -> bool | None:
        """Wait for the end: did it succeed? None if it still runs after these seconds."""

    def progress(self) -> Progress | None:
        """How far it is; None if it still waits for a place to run."""

    def stop(self) -> None:
        """End it, so that it can be gone on with."""


class Engine(Protocol):
    """Runs trials, each one beside the workspace, and keeps their results under their names."""

    @property
    def at_once(self) -> int:
        """How many trials it takes at the same time."""

    def results(self, names: Collection[str]) -> dict[str, Comparison]:
        """Of those of these trials that are done with the present code, by name."""

    def evidence(self, results: Mapping[str, Comparison], statistics: bool) -> dict[str, Evidence]:
        """What trials that are done keep beside their comparisons, by name; only of those where it is at hand.

        Args:
            results: comparisons by name.
            statistics: read the statistics as well, which takes the most time.
        """

    def across(self, baseline: Trial, candidate: Trial) -> Comparison:
        """Compare the baseline of one trial with the candidate of another one that differs in its recipe only.

        Raises:
            UserError: the terms differ in more than that, or the results are not at hand.
        """

    def begin(self, trial: Trial, log: Path) -> Work:
        """Begin a trial; all that it says goes into the log."""

    def close(self) -> None:
        """Give back what it has taken to run trials; those that still run are stopped."""


@dataclass(frozen=True)
class DvcEngine:
    """Each trial is an experiment of the present commit; DVC's run-cache has what an earlier one trained.

    Attributes:
        present: what params.yaml holds.
    """

    present: Mapping[str, Any]

    @property
    def at_once(self) -> int:
        """One: a training takes all of this machine."""
        return 1

    def results(self, names: Collection[str]) -> dict[str, Comparison]:
        """The comparisons of the present commit's experiments of these names.

        Raises:
            UserError: one is no longer in DVC's cache.
        """
        found = [each for each in self._experiments() if each.name in names]
        return {each.name: _comparison(each) for each in found}

    def evidence(self, results: Mapping[str, Comparison], statistics: bool) -> dict[str, Evidence]:
        """From DVC's cache."""
        found = {}
        for experiment in self._experiments():
            if experiment.name in results:
                with suppress(UserError):  # it is not in the cache
                    found[experiment.name] = _evidence(experiment, results[experiment.name], statistics)
        return found

    def across(self, baseline: Trial, candidate: Trial) -> Comparison:
        """From DVC's cache; latencies are those of the candidate's trial, as they do not depend on the recipe."""
        seeds, experiments = candidate.values["seeds"], {each.name: each for each in self._experiments()}
        if gone := {baseline.name, candidate.name} - experiments.keys():
            raise UserError(f"{', '.join(sorted(gone))}: no such experiment any more; the same command runs it again")
        chosen = experiments[candidate.name]
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            chosen.copy([DATASET_FILE, SCENES_FILE, HISTORY_FILE, LATENCY_FILE], folder)
            arms = (
                _arm("baseline", seeds, experiments[baseline.name], folder),
                _arm("candidate", seeds, chosen, folder),
            )
            measured = arms[0].results[0].statistics
            circumstances = Circumstances(
                scenes=Scenes.read(folder / SCENES_FILE).of(measured.split, measured.images["image"].tolist()),
                train_images=DatasetCard.read(folder / DATASET_FILE).splits["train"].images,
                history=History.read(folder / HISTORY_FILE),
                latency=LatencyRecord.read(folder / LATENCY_FILE),
                tuned=True,
            )
        return compare(*arms, circumstances, VerdictOptions.model_validate(candidate.values[VerdictOptions.key]))

    def begin(self, trial: Trial, log: Path) -> Work:
        """`dvc exp run --temp`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            return DvcWork(_apart(command_beside(trial.name, trial.values, self.present), file.fileno()))

    def close(self) -> None:
        """Nothing is kept between two trials."""

    def _experiments(self) -> list[Experiment]:
        """Those among which the study's are."""
        return present_experiments()


@dataclass(frozen=True)
class DvcWork:
    """A dvc command in a group of processes of its own, so that Ctrl-C reaches it once: from here."""

    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.time)

    @classmethod
    def start(cls, command: list[str], output: int, folder: Path, variables: Mapping[str, str]) -> DvcWork:
        """Start one in another workspace.

        Args:
            command: its words.
            output: descriptor of the file that takes what it says.
            folder: the workspace.
            variables: its whole environment.
        """
        return cls(_apart(command, output, cwd=folder, env=variables))

    def ended(self, seconds: float) -> bool | None:
        """See `Work`."""
        try:
            return self.process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return None

    def progress(self) -> Progress:
        """See `Work`."""
        return Progress("", training_since(self.began))

    def stop(self) -> None:
        """Ctrl-C for dvc and its stage; what has not ended then is terminated."""
        if self.process.poll() is not None:
            return
        if os.name == "nt":
            self.process.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
        else:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.terminate()  # its stage ends with it
            self.process.wait()


def _comparison(experiment: Experiment) -> Comparison:
    try:
        return Comparison.model_validate_json(experiment.read(COMPARISON_FILE))
    except UserError as error:
        raise UserError(f"{error}; or forget it and train it again: dvc exp remove {experiment.name}") from None


def _evidence(experiment: Experiment, comparison: Comparison, statistics: bool) -> Evidence:
    """Raises UserError where something of it is not in the cache."""
    models = [ModelFiles("candidate", seed) for seed in comparison.seeds]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        experiment.copy([models[0].training], folder)
        engine = TrainingRecord.read(folder / models[0].training).engine
        if not statistics:
            return Evidence(engine)
        experiment.copy([SCENES_FILE, *(model.statistics for model in models)], folder)
        read = [Statistics.read(folder / model.statistics) for model in models]
        scenes = Scenes.read(folder / SCENES_FILE).of(comparison.split, read[0].images["image"].tolist())
        return Evidence(engine, Detections(read, scenes))


def _arm(arm: Arm, seeds: Sequence[int], experiment: Experiment, folder: Path) -> ArmEvidence:
    """All that an experiment has of an arm, copied into a folder; raises UserError where it is not in the cache."""
    models = [ModelFiles(arm, seed) for seed in seeds]
    paths = [(each.training, each.metrics, each.statistics, each.history, each.time) for each in models]
    experiment.copy([offer_file(arm), *(path for own in paths for path in own)], folder)
    return ArmEvidence(
        OfferRecord.read(folder / offer_file(arm)),
        [
            ArmResult(
                TrainingRecord.read(folder / each.training),
                MetricsRecord.read(folder / each.metrics),
                Statistics.read(folder / each.statistics),
            )
            for each in models
        ],
        [pd.read_csv(folder / each.history) for each in models],
        [TrainingTime.read(folder / each.time) for each in models],
    )


def _apart(command: list[str], output: int, **options: Any) -> subprocess.Popen[bytes]:
    apart: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
        if os.name == "nt"
        else {"start_new_session": True}
    ) | options
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **apart)


ENGINES: Mapping[str, Callable[[Mapping[str, Any]], Engine]] = {"dvc": DvcEngine}
