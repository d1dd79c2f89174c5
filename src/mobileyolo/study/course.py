"""How far a study is: the state of its trials, what they train now, and how long the rest takes (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from mobileyolo.study.estimate import Pace, Profiles, time_of, work_of
from mobileyolo.study.trials import Training, Trial, distinct_trainings
from mobileyolo.study.watching import Sighting
from mobileyolo.verdict.records import Comparison

State = Literal["waiting", "running", "done", "failed"]


@dataclass
class Course:
    """A study from its first trial to the last.

    Attributes:
        trials: in the order in which they run.
        results: of those that are done, by name.
        profiles: of all models, by backbone and imgsz.
        pace: of what was trained so far.
        failed: names of the trials that have failed.
        running: the trial that runs.
        seen: what it trains.
        begun: its trainings that have begun.
        since: when the epoch began that is running, in seconds.
        across: comparisons of one trial's baseline with another one's candidate, by their names, as far as needed.
    """

    trials: list[Trial]
    results: dict[str, Comparison]
    profiles: Profiles
    pace: Pace
    failed: set[str] = field(default_factory=set)
    running: Trial | None = None
    seen: Sighting | None = None
    begun: set[Training] = field(default_factory=set)
    since: float = 0
    across: dict[tuple[str, str], Comparison] = field(default_factory=dict)

    def state(self, trial: Trial) -> State:
        """Of one trial."""
        if trial.name in self.results:
            return "done"
        if trial.name in self.failed:
            return "failed"
        return "running" if trial == self.running else "waiting"

    def waiting(self) -> list[Trial]:
        """The trials that are still to be run."""
        return [trial for trial in self.trials if self.state(trial) == "waiting"]

    def begin(self, trial: Trial) -> None:
        """A trial begins."""
        self.running, self.seen = trial, None
        self.begun.clear()

    def end(self, result: Comparison | None) -> None:
        """The running trial has ended, with its result or, where it failed, without."""
        if self.running is None:
            return
        if result is None:
            self.failed.add(self.running.name)
        else:
            self.results[self.running.name] = result
        self.running = self.seen = None

    def see(self, sighting: Sighting | None, now: float) -> bool:
        """Take in what is being trained now; is it another training than before?

        Args:
            sighting: of the running trial; None where nothing is being trained.
            now: seconds, on any clock.
        """
        before, self.seen = self.seen, sighting
        training = self._training(sighting)
        if sighting is None or training is None:
            return False
        if training != self._training(before):
            self.begun.add(training)
            self.since = now
            return True
        if before and sighting.epoch > before.epoch:
            work = work_of(training, sighting.epoch - before.epoch, self.profiles)
            self.pace.add(training.backbone, now - self.since, work)
            self.since = now
        return False

    def seconds_left(self, trials: Sequence[Trial]) -> float | None:
        """How long the trainings of these trials still take, each one counted once; None where that is not known."""
        done = [trial for trial in self.trials if trial.name in self.results]
        left = [each for each in distinct_trainings(list(trials), done) if each not in self.begun]
        # All trainings of a study have the same number of epochs.
        seconds = time_of(left, self.trials[0].epochs, self.profiles, self.pace)
        training = self._training(self.seen)
        if seconds is None or self.seen is None or training is None or self.running not in trials:
            return seconds
        rest = work_of(training, self.seen.epochs - self.seen.epoch, self.profiles)
        rest_seconds = self.pace.seconds(training.backbone, rest)
        return None if rest_seconds is None else seconds + rest_seconds

    def _training(self, sighting: Sighting | None) -> Training | None:
        """Which training of the running trial this is; None where it is of none."""
        if sighting is None or self.running is None:
            return None
        wanted = (sighting.arm, sighting.backbone, sighting.seed)
        for training in self.running.trainings():
            if (training.arm, training.backbone, training.seed) == wanted:
                return training
        return None


def weights_of(comparison: Comparison) -> set[str]:
    """Digests of the weights of all models that a trial has, whoever trained them."""
    teacher = [comparison.teacher.weights_digest] if comparison.teacher else []
    return {*comparison.baseline.weights_digests, *comparison.candidate.weights_digests, *teacher}
