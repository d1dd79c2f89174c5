"""A study on two workers of a cluster, beside the same experiments by hand, and beside their trainings alone.

Each worker has one thread. By hand, two people run `dvc exp run` for half of the trials each, one after the other.
Alone are the trainings and evaluations of the same models, by Python in one process for each, two at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks.circumstances import ROOT
from benchmarks.datasets import Splits, write_dataset
from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.trainable import RECIPE
from benchmarks.workspaces import Changes, Checkout, scratch
from mobileyolo.core.backbones import Arm

WORKERS = 2
ONE_THREAD = {"MOBILEYOLO_THREADS": "1"}


class Grid(NamedTuple):
    """What is combined, and the images of each split."""

    backbones: tuple[str, ...] = ("mnv1_n", "mnv1_s")
    imgsz: tuple[int, ...] = (256, 288, 320, 352)
    splits: Splits = Splits(5000, 200, 200)  # a training takes minutes, as most do

    @property
    def trials(self) -> list[tuple[str, int]]:
        """Backbone and resolution of each."""
        return list(product(self.backbones, self.imgsz))

    def changes(self) -> dict[str, dict[str, Any]]:
        """Of params.yaml: one epoch; all else as it is shipped."""
        return {"train": RECIPE | {"epochs": 1}}


def cases(scale: Scale) -> list[Case]:
    """The study beside each of the two; none where it has to be quick, since a cluster alone takes a minute."""
    if scale.quick:
        return []
    grid = Grid()
    peers: dict[str, Callable[[Grid, Path], float]] = {
        "dvc exp run by hand": _by_hand,
        "trainings and evaluations": _alone,
    }
    return [
        Case(
            subject="study",
            name=f"study --engine ray, and {peer}",
            unit="s",
            size={"trials": len(grid.trials), "epochs": 1, "data": f"{' + '.join(map(str, grid.splits))} images"},
            open=lambda grid=grid, peer=peer, way=way: _opened(grid, peer, way),  # type: ignore[misc]
            aim=Aim("at most", 1.15),
            rounds=scale.rounds(1),  # of each way, which takes three quarters of an hour
        )
        for peer, way in peers.items()
    ]


@contextmanager
def _opened(grid: Grid, peer: str, way: Callable[[Grid, Path], float]) -> Iterator[Ways]:
    """Every round begins with new workspaces: what was trained before would not be trained again."""

    def measure(way: Callable[[Grid, Path], float]) -> Sample:
        with scratch() as folder:
            return Sample(way(grid, folder))

    yield {"study": lambda: measure(_study), peer: lambda: measure(way)}


def _study(grid: Grid, folder: Path) -> float:
    """Seconds of the command alone: cluster, server and remote are there already."""
    from tests.pipeline.nodes import opened  # imports Ray, which takes seconds

    shipped = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    changes = {section: shipped[section] for section in ("evaluate", "latency", "compare")} | grid.changes()
    study = {"backbones": list(grid.backbones), "imgsz": list(grid.imgsz), "seeds": [0]}
    with opened(folder, _dataset(grid, folder), WORKERS, study=study, **changes) as site:
        began = time.perf_counter()
        done = site.study()
        seconds = time.perf_counter() - began
    if done.code:
        raise RuntimeError(done.output)
    return seconds


def _by_hand(grid: Grid, folder: Path) -> float:
    """Seconds until both workers have run half of the trials; the models of one baseline are with one of them."""

    def work(checkout: Checkout, trials: Sequence[tuple[str, int]]) -> float:
        began = time.perf_counter()
        for backbone, imgsz in trials:
            settings = ["--set-param", f"backbone={backbone}", "--set-param", f"train.imgsz={imgsz}"]
            # Nothing looks at the memory of a study either.
            run(python("dvc", "exp", "run", *settings), checkout.path, ONE_THREAD, watched=False)
        return time.perf_counter() - began

    return max(_at_once(grid, folder, grid.changes(), work))


def _alone(grid: Grid, folder: Path) -> float:
    """Seconds until both workers have trained and evaluated the same models, without what prepares it."""

    def work(checkout: Checkout, trials: Sequence[tuple[str, int]]) -> float:
        seconds, begun = 0.0, set[int]()
        for backbone, imgsz in trials:
            changes = grid.changes()
            changes["train"] |= {"imgsz": imgsz}
            checkout.write_params(changes)
            params = checkout.path / "params.yaml"
            values = yaml.safe_load(params.read_text(encoding="utf-8")) | {"backbone": backbone}
            params.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
            arms: list[Arm] = ["candidate"] if imgsz in begun else ["baseline", "candidate"]
            for arm in arms:
                checkout.make_trainable(arm)
                checkout.forget_trainings()
                seconds += run(python("benchmarks.bare", arm), checkout.path, ONE_THREAD, watched=False).value
            begun.add(imgsz)
        return seconds

    return max(_at_once(grid, folder, grid.changes(), work))


def _at_once(
    grid: Grid, folder: Path, changes: Changes, work: Callable[[Checkout, Sequence[tuple[str, int]]], float]
) -> list[float]:
    """What a piece of work gives in two checkouts at the same time."""
    dataset = _dataset(grid, folder)
    checkouts = [Checkout.create(folder / f"worker-{number}", dataset, changes) for number in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, checkouts, shares(grid)))


def shares(grid: Grid) -> list[list[tuple[str, int]]]:
    """The trials of each worker, as equal in cost as can be where one has all of a resolution, and so its baseline."""
    turns = [0, 1, 1, 0]
    worker = {imgsz: turns[place % len(turns)] for place, imgsz in enumerate(grid.imgsz)}
    return [[trial for trial in grid.trials if worker[trial[1]] == number] for number in range(WORKERS)]


def _dataset(grid: Grid, folder: Path) -> Path:
    return write_dataset(folder / "data", grid.splits)
