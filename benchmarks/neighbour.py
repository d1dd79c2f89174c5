"""Training while another process takes one core, beside training alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.trainable import data_of, recipe_of, trainable

# Until the process that started it is gone, however that ended.
_COMPUTING = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(1_000_000))"


def cases(scale: Scale) -> list[Case]:
    """One training of mnv1_n, with the threads that the pipeline chooses by itself."""
    recipe = recipe_of(scale, epochs=3)
    case = Case(
        subject="neighbour",
        name="mnv1_n, one core taken",
        unit="s",
        size={"data": data_of(scale), "epochs": recipe["epochs"], "imgsz": recipe["imgsz"]},
        open=lambda: _opened(scale, recipe),
        aim=Aim("at most", 2.2),
        rounds=scale.rounds(),
    )
    return [case]


@contextmanager
def _opened(scale: Scale, recipe: dict[str, Any]) -> Iterator[Ways]:
    work = trainable(scale, recipe)

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
