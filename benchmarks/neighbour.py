"""Training while another process takes one core, beside training alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.datasets import Splits
from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.workspaces import RECIPE, checkout, training_data

# Until the process that started it is gone, however that ended.
_COMPUTING = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(1_000_000))"


def cases(scale: Scale) -> list[Case]:
    """One training of mnv1_n, with the threads that the pipeline chooses by itself."""
    recipe: dict[str, Any] = RECIPE | ({"epochs": 1, "imgsz": 160} if scale.quick else {"epochs": 3})
    splits = Splits(16, 4) if scale.quick else Splits(200, 50)
    case = Case(
        subject="neighbour",
        name="mnv1_n, one core taken",
        unit="s",
        size={"images": splits.train, "epochs": recipe["epochs"], "imgsz": recipe["imgsz"]},
        open=lambda: _opened(scale, splits, recipe),
        aim=Aim("at most", 2.2),
        rounds=scale.rounds(),
    )
    return [case]


@contextmanager
def _opened(scale: Scale, splits: Splits, recipe: dict[str, Any]) -> Iterator[Ways]:
    generated = Scale(quick=scale.quick)
    with checkout(training_data(generated, splits), {"train": recipe}) as work:
        work.make_trainable("candidate")

        def beside() -> Sample:
            with _busy_core():
                return work.train("candidate")

        yield {"with a neighbour": beside, "alone": lambda: work.train("candidate")}


@contextmanager
def _busy_core() -> Iterator[None]:
    """Another process that computes without a pause; on one core, where the system lets a process choose."""
    with subprocess.Popen([sys.executable, "-c", _COMPUTING]) as neighbour:
        process = psutil.Process(neighbour.pid)
        if hasattr(process, "cpu_affinity"):
            process.cpu_affinity(process.cpu_affinity()[:1])
        try:
            yield
        finally:
            neighbour.kill()
