"""How far a study is: the state of its trials, what they train now, and how long the rest takes (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from mobileyolo.study.estimate import Pace, Profiles, time_of, work_of
from mobileyolo.study.trials import Training, Trial, distinct_trainings
from mobileyolo.study.watching import Progress, Sighting
from mobileyolo.verdict.records import Comparison

State = Literal["waiting", "running", "done", "failed"]


@dataclass
class Run:
    """A trial that runs.

    Attributes:
        node: name of the machine; "" for this one.
        seen: what it trains.
        begun: its trainings that have begun.
        since: when the epoch began that is running, in seconds.
    """

    node: str = ""
    seen: Sighting | None = None
    begun: set[Training] = field(default_factory=set)
    since: float = 0


@dataclass
class Course:
    """A study from its first trial to the last.

    Attributes:
        trials: in the order in which they are told.
        results: of those that are done, by name.
        profiles: of all models, by backbone and imgsz.
        pace: of what was trained so far.
        failed: names of the trials that have failed.
        across: comparisons of one trial's baseline with another one's candidate, by their names, as far as needed.
        running: the trials that run, by name.
    """

    trials: list[Trial]
    results: dict[str, Comparison]
    profiles: Profiles
    pace: Pace
    failed: set[str] = field(default_factory=set)
    across: dict[tuple[str, str], Comparison] = field(default_factory=dict)
    running: dict[str, Run] = field(default_factory=dict)

    def state(self, trial: Trial) -> State:
        """Of one trial."""
        if trial.name in self.results:
            return "done"
        if trial.name in self.failed:
            return "failed"
        return "running" if trial.name in self.running else "waiting"

    def waiting(self) -> list[Trial]:
        """The trials that are still to be run."""
        return [trial for trial in self.trials if self.state(trial) == "waiting"]

    def longest_first(self) -> list[Trial]:
        """The trials that are still to be run, those with the most work first."""

        def work(trial: Trial) -> float:
            return sum(work_of(training, trial.epochs, self.profiles) for training in trial.trainings())

        return sorted(self.waiting(), key=work, reverse=True)

    def begin(self, trial: Trial) -> None:
        """A trial begins."""
        self.running[trial.name] = Run()

    def end(self, trial: Trial, result: Comparison | None) -> None:
        """A trial has ended, with its result or, where it failed, without."""
        self.running.pop(trial.name, None)
        if result is None:
            self.failed.add(trial.name)
        else:
            self.results[trial.name] = result

    def see(self, trial: Trial, progress: Progress, now: float) -> bool:
        """Take in how far a running trial is; does it train another model than before?

        Args:
            trial: that runs.
            progress: of it.
            now: seconds, on any clock.
        """
        run, sighting = self.running[trial.name], progress.seen
        before, run.seen, run.node = run.seen, sighting, progress.node
        training = _training(trial, sighting)
        if sighting is None or training is None:
            return False
        if training != _training(trial, before):
            run.begun.add(training)
            run.since = now
            return True
        if before and sighting.epoch > before.epoch:
            work = work_of(training, sighting.epoch - before.epoch, self.profiles)
            self.pace.add(training.backbone, now - run.since, work)
            run.since = now
        return False

    def seconds_left(self, trials: Sequence[Trial]) -> float | None:
        """How long the trainings of these trials still take, each one counted once; None where that is not known."""
        done = [trial for trial in self.trials if trial.name in self.results]
        begun = {training for run in self.running.values() for training in run.begun}
        left = [each for each in distinct_trainings(list(trials), done) if each not in begun]
        # All trainings of a study have the same number of epochs.
        times = [time_of(left, self.trials[0].epochs, self.profiles, self.pace)]
        for training, seen in self._trained_now(trials).items():
            rest = work_of(training, seen.epochs - seen.epoch, self.profiles)
            times.append(self.pace.seconds(training.backbone, rest))
        return None if None in times else sum(filter(None, times))

    def time_left(self) -> float | None:
        """Seconds until all trials are done, with as many trainings at the same time as now; None if not known."""
        rest = [trial for trial in self.trials if self.state(trial) in {"running", "waiting"}]
        seconds = self.seconds_left(rest)
        return None if seconds is None else seconds / max(len(self._trained_now(rest)), 1)

    def _trained_now(self, trials: Sequence[Trial]) -> dict[Training, Sighting]:
        """What is trained now for some of these trials; trials that wait for one training see the same one."""
        seen = [(trial, self.running[trial.name].seen) for trial in trials if trial.name in self.running]
        found = {_training(trial, sighting): sighting for trial, sighting in seen}
        return {training: sighting for training, sighting in found.items() if training and sighting}


def _training(trial: Trial, sighting: Sighting | None) -> Training | None:
    """Which training of a trial this is; None where it is of none."""
    if sighting is None:
        return None
    wanted = (sighting.arm, sighting.backbone, sighting.seed)
    for training in trial.trainings():
        if (training.arm, training.backbone, training.seed) == wanted:
            return training
    return None


def weights_of(comparison: Comparison) -> set[str]:
    """Digests of the weights of all models that a trial has, whoever trained them."""
    teacher = [comparison.teacher.weights_digest] if comparison.teacher else []
    return {*comparison.baseline.weights_digests, *comparison.candidate.weights_digests, *teacher}
