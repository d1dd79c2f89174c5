"""How long trainings take, and what they leave on the disk, from trainings that have ended and counted costs (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.records import Profile
from mobileyolo.study.trials import Training
from mobileyolo.verdict.records import Comparison

Profiles = Mapping[tuple[str, int], Profile]  # by backbone and imgsz
# A checkpoint holds its parameters in half precision, and lies in DVC's cache and in MLflow's store.
BYTES_A_PARAMETER = 2 * 2


@dataclass
class Pace:
    """How long the work of a training takes, in seconds for a GFLOP of one image and an epoch.

    Without a measured time of a backbone, that of all others counts: GFLOPs tell the time only roughly.

    Attributes:
        time: seconds that were measured, by backbone.
        work: that was done in them, in epochs x GFLOPs, by backbone.
    """

    time: dict[str, float] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)

    def add(self, backbone: str, seconds: float, work: float) -> None:
        """Take a measured time in; `work` is in epochs x GFLOPs."""
        self.time[backbone] = self.time.get(backbone, 0) + seconds
        self.work[backbone] = self.work.get(backbone, 0) + work

    def add_comparison(self, comparison: Comparison, machine: str, threads: int) -> None:
        """Take the trainings of a comparison in, as far as they ran on this kind of machine with as many threads."""
        for arm in ARMS:
            summary, gflops = getattr(comparison, arm), getattr(comparison.costs["gflops"], arm)
            for time in summary.times:
                if (time.machine, time.threads) == (machine, threads):
                    self.add(summary.backbone, time.seconds, comparison.epochs * gflops)

    def seconds(self, backbone: str, work: float) -> float | None:
        """How long this work takes; None where no time was measured.

        >>> pace = Pace()
        >>> pace.add("mnv1_n", seconds=60, work=30)
        >>> pace.seconds("mnv1_n", 10), pace.seconds("mnv1_s", 20)
        (20.0, 40.0)
        """
        measured = [backbone] if backbone in self.work else list(self.work)
        if not measured:
            return None
        return work * sum(self.time[name] for name in measured) / sum(self.work[name] for name in measured)


def work_of(training: Training, epochs: float, profiles: Profiles) -> float:
    """The work of these epochs of a training, in epochs x GFLOPs."""
    return epochs * profiles[training.backbone, training.imgsz].gflops


def time_of(trainings: Iterable[Training], epochs: int, profiles: Profiles, pace: Pace) -> float | None:
    """Seconds that trainings take, one after the other; None where no time was measured."""
    times = [pace.seconds(each.backbone, work_of(each, epochs, profiles)) for each in trainings]
    return None if None in times else sum(filter(None, times))


def disk_of(trainings: Iterable[Training], profiles: Profiles) -> int:
    """Bytes of the trained weights, in DVC's cache and in MLflow's store."""
    return sum(BYTES_A_PARAMETER * profiles[each.backbone, each.imgsz].parameters for each in trainings)


def told_time(seconds: float | None) -> str:
    """A time for people.

    >>> told_time(5025), told_time(90_000), told_time(None)
    ('1:24 h', '25:00 h', 'unknown')
    """
    if seconds is None:
        return "unknown"
    minutes = round(timedelta(seconds=seconds) / timedelta(minutes=1))
    return f"{minutes // 60}:{minutes % 60:02} h"
