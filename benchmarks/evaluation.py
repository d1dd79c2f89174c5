"""The whole stage evaluate, beside plain `yolo val` on the same images.

The stage measures the held-out split and val, to choose a confidence, and gives COCO's AP and the statistics of each
image as well. Plain Ultralytics measures both splits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.datasets import Splits
from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.workspaces import RECIPE, arm_of, checkout, training_data
from mobileyolo.core.files import ModelFiles

OPTIONS = {"batch": 16, "conf": 0.001, "iou": 0.7, "max_det": 300}  # those that are shipped


def cases(scale: Scale) -> list[Case]:
    """Both architectures."""
    splits = Splits(16, 8, 16) if scale.quick else Splits(200, 200, 1000)
    imgsz = 160 if scale.quick else 320
    data = scale.data.name if scale.data else f"{splits.val} + {splits.test} generated images"
    return [
        Case(
            subject="evaluation",
            name=backbone,
            unit="images/s",
            size={"data": data, "imgsz": imgsz},
            open=partial(_opened, scale, splits, backbone, imgsz),
            aim=Aim("at least", 2.0),
            rounds=scale.rounds(),
        )
        for backbone in (("mnv1_n",) if scale.quick else ("mnv1_n", "yolo11n"))
    ]


@contextmanager
def _opened(scale: Scale, splits: Splits, backbone: str, imgsz: int) -> Iterator[Ways]:
    arm = arm_of(backbone)
    changes = {"train": RECIPE | {"epochs": 1, "imgsz": imgsz}, "evaluate": OPTIONS}
    with checkout(training_data(scale, splits), changes) as work:
        work.make_trainable(arm)
        work.train(arm)
        measured = ["test", "val"] if "test" in work.card.splits else ["val"]
        images = sum(count.images for split, count in work.card.splits.items() if split in measured)
        settings = OPTIONS | {"data": str(work.plain_description()), "imgsz": imgsz, "plots": False, "verbose": False}
        settings |= {"project": str(work.path / "runs"), "name": "plain", "exist_ok": True}
        weights = str(work.path / ModelFiles(arm, 0).weights)
        plain = python(
            "benchmarks.plain", "val", json.dumps({"model": weights, "splits": measured, "settings": settings})
        )

        def a_second(sample: Sample) -> Sample:
            return Sample(images / sample.value, sample.memory_mb)

        yield {
            "MobileYOLO": lambda: a_second(work.stage("evaluate", arm)),
            "yolo val": lambda: a_second(run(plain, work.path)),
        }
