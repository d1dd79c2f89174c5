"""Checkpoints of a job's trainings, copied to DVC's remote, so that another node can go on with them."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mobileyolo.core.trainings import KEPT, checkpoints_in
from mobileyolo.experiments import RemoteFolder

RETRY = 60  # seconds at least until a copy that failed is tried again


@dataclass
class Copies:
    """What the remote has of a job's checkpoints.

    Attributes:
        remote: a folder of the job's own.
        trainings: the folder of this machine with all trainings.
        every: seconds at least between two copies of one training.
        copied: names on the remote, the earliest epoch of each training first.
        due: when the next copy of each training may be made.
    """

    remote: RemoteFolder
    trainings: Path
    every: float
    copied: list[str] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)

    def fetch(self) -> None:
        """Bring all of them to this machine."""
        for name in self.remote.names():
            with suppress(FileNotFoundError):  # a process whose node was taken for lost has replaced it meanwhile
                self.remote.download(name, self.trainings / name)
                self.copied.append(name)

    def keep(self, now: float | None = None) -> None:
        """Copy the newest one of each training that the remote lacks, unless one was copied a short time ago.

        Args:
            now: seconds on a clock that does not go back.
        """
        now = time.monotonic() if now is None else now
        for training in sorted(self.trainings.glob("*")):
            if now < self.due.get(training.name, -math.inf):
                continue
            newest = next(reversed(checkpoints_in(training)), None)
            name = f"{training.name}/{newest.name}" if newest else ""
            if newest and name not in self.copied:
                self.due[training.name] = now + max(self.every, RETRY)  # if it fails
                try:
                    self.remote.upload(newest, name)
                except FileNotFoundError:  # the training has replaced it by a newer one
                    del self.due[training.name]
                    continue
                self.copied.append(name)
                self.due[training.name] = now + self.every
                outdated = [each for each in self.copied if each.startswith(f"{training.name}/")][:-KEPT]
                self.remote.remove(*outdated)
                self.copied = [each for each in self.copied if each not in outdated]

    def forget(self) -> None:
        """Delete those on the remote: the job has ended, and DVC has its results."""
        self.remote.clear()
        self.copied = []
