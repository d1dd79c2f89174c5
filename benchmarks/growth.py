"""How the cost of each stage grows with its size: the time of one stage at three sizes, and the exponent of that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.datasets import Splits, write_dataset
from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.workspaces import TINY, Checkout, checkout

LINEAR = Aim("at most", 1.1)  # what is beyond 1 is noise, or a logarithm


class Load(NamedTuple):
    """What a checkout has to do; the images are 96 px wide."""

    train: int = 8  # images
    val: int = 4
    test: int = 4
    boxes: int = 4  # an image
    classes: int = 2
    epochs: int = 1
    digits: int = 8  # scenes to train on, where the embedded default is made
    runs: int = 0  # further ones in MLflow's store


class Axis(NamedTuple):
    """A stage, what of the load it is measured against, and three sizes of that, which grow by one factor."""

    stage: str
    field: str
    sizes: tuple[int, int, int]


AXES = (
    Axis("digits", "digits", (250, 1_000, 4_000)),
    Axis("validate", "train", (1_000, 4_000, 16_000)),
    Axis("validate", "boxes", (4, 16, 64)),
    Axis("validate", "classes", (2, 20, 200)),
    Axis("train", "train", (64, 256, 1_024)),
    Axis("train", "boxes", (4, 16, 64)),
    Axis("train", "classes", (2, 20, 200)),
    Axis("train", "epochs", (4, 16, 64)),
    Axis("evaluate", "test", (64, 256, 1_024)),
    Axis("evaluate", "boxes", (4, 16, 64)),
    Axis("evaluate", "classes", (2, 20, 200)),
    Axis("compare", "test", (64, 256, 1_024)),
    Axis("compare", "boxes", (4, 16, 64)),
    Axis("compare", "classes", (2, 20, 200)),
    Axis("history", "runs", (50, 200, 800)),
)
QUICK = (Axis("digits", "digits", (10, 40, 160)),)
_NAMES = {"train": "training images", "test": "test images", "boxes": "boxes an image", "digits": "scenes"}
_PER_ARM = ("train", "evaluate")
_AFTER_TRAINING = ("evaluate", "compare", "history")


def cases(scale: Scale) -> list[Case]:
    """Every stage whose work grows with something; the others' does not."""
    return [
        Case(
            subject="growth",
            name=f"{axis.stage}, by {_NAMES.get(axis.field, axis.field)}",
            unit="s",
            size={axis.field: " ".join(map(str, axis.sizes))},
            open=partial(_opened, axis),
            figure="exponent",
            aim=LINEAR,
            rounds=scale.rounds(),
        )
        for axis in (QUICK if scale.quick else AXES)
    ]


@contextmanager
def _opened(axis: Axis) -> Iterator[Ways]:
    with ExitStack() as stack:
        ways = {}
        for size in axis.sizes:
            load = Load(**{axis.field: size})
            work = stack.enter_context(_prepared(axis.stage, load))
            ways[str(size)] = partial(_measure, work, axis.stage)
        yield ways


@contextmanager
def _prepared(stage: str, load: Load) -> Iterator[Checkout]:
    """A checkout in which all has run that comes before the stage."""
    splits = Splits(load.train, load.val, load.test)
    changes = {
        "train": TINY | {"epochs": load.epochs},
        "digits": {"train": load.digits, "val": 4, "test": 4, "scene_size": 96},
    }

    def write(root: Path) -> Path:
        return write_dataset(root, splits, width=96, height=96, boxes=load.boxes, classes=load.classes)

    with checkout(write, changes) as work:
        if stage in _AFTER_TRAINING:
            work.dvc("repro")
            run(python("benchmarks.runs", str(load.runs)), work.path)
        elif stage == "train":
            work.make_trainable("candidate")
        else:
            work.dvc("repro", "check")
        yield work


def _measure(work: Checkout, stage: str) -> Sample:
    if stage == "train":
        return work.train("candidate")
    if stage == "validate":
        work.forget_images()
    return work.stage(stage, "candidate" if stage in _PER_ARM else None)
