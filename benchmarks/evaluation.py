"""The whole stage evaluate, beside plain `yolo val` on the same images.

The stage measures the held-out split and val, to choose a confidence, and gives COCO's AP and the statistics of each
image as well. Plain Ultralytics measures both splits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.trainable import arm_of, data_of, plain_description, recipe_of, trainable
from mobileyolo.core.files import ModelFiles


def cases(scale: Scale) -> list[Case]:
    """Both architectures."""
    recipe = recipe_of(scale, epochs=1)
    return [
        Case(
            subject="evaluation",
            name=backbone,
            unit="images/s",
            size={"data": data_of(scale), "imgsz": recipe["imgsz"]},
            open=partial(_opened, scale, backbone, recipe),
            aim=Aim("at least", 2.0),
            rounds=scale.rounds(),
        )
        for backbone in (("mnv1_n",) if scale.quick else ("mnv1_n", "yolo11n"))
    ]


@contextmanager
def _opened(scale: Scale, backbone: str, recipe: dict[str, Any]) -> Iterator[Ways]:
    arm, work = arm_of(backbone), trainable(scale, recipe)
    work.train(arm)
    options, splits = work.params()["evaluate"], work.card.splits
    measured = [split for split in ("test", "val") if split in splits]
    images = sum(splits[split].images for split in measured)
    settings = {key: options[key] for key in ("batch", "conf", "iou", "max_det")} | {
        **{"data": str(plain_description(work)), "imgsz": recipe["imgsz"], "plots": False, "verbose": False},
        **{"project": str(work.path / "runs"), "name": "plain", "exist_ok": True},
    }
    weights = str(work.path / ModelFiles(arm, 0).weights)
    plain = python("benchmarks.plain", "val", json.dumps({"model": weights, "splits": measured, "settings": settings}))

    def a_second(sample: Sample) -> Sample:
        return Sample(images / sample.value, sample.memory_mb)

    yield {
        "MobileYOLO": lambda: a_second(work.stage("evaluate", arm)),
        "yolo val": lambda: a_second(run(plain, work.path)),
    }
