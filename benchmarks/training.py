"""Images a second of the whole stage train, beside plain Ultralytics with the same arguments and data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.trainable import arm_of, data_of, plain_description, recipe_of, trainable
from benchmarks.workspaces import Checkout
from mobileyolo.core.files import model_file

FASTER = {"fp32": Aim("at least", 2.0), "bf16": Aim("at least", 2.8)}  # with the threads that each chooses
PLAIN_THREADS = min(8, max(1, (os.cpu_count() or 1) - 1))  # as Ultralytics 8.4 chooses them


def cases(scale: Scale) -> list[Case]:
    """Both architectures in both precisions, with the threads that each side chooses and with equal ones."""
    recipe = recipe_of(scale, epochs=5)
    size: dict[str, int | str] = {"data": data_of(scale), **{key: recipe[key] for key in ("epochs", "imgsz", "batch")}}

    def case(backbone: str, precision: str, equal: bool) -> Case:
        return Case(
            subject="training",
            name=f"{backbone}, {precision}" + (", equal threads" if equal else ""),
            unit="images/s",
            size=size | ({"threads": PLAIN_THREADS} if equal else {}),
            open=lambda: _opened(scale, backbone, recipe | {"precision": precision}, equal),
            aim=None if equal else FASTER[precision],
            rounds=scale.rounds(),
        )

    found = [
        case(backbone, precision, equal)
        for equal in (False, True)
        for backbone in ("mnv1_n", "yolo11n")
        for precision in ("fp32", "bf16")
    ]
    return found[:1] if scale.quick else found


@contextmanager
def _opened(scale: Scale, backbone: str, recipe: dict[str, Any], equal: bool) -> Iterator[Ways]:
    arm, work = arm_of(backbone), trainable(scale, recipe)
    images = work.card.splits["train"].images * recipe["epochs"]
    threads = {"MOBILEYOLO_THREADS": str(PLAIN_THREADS)} if equal else {}
    command = python("benchmarks.plain", "train", json.dumps(_plain_training(work, backbone, recipe)))

    def a_second(sample: Sample) -> Sample:
        return Sample(images / sample.value, sample.memory_mb)

    yield {
        "MobileYOLO": lambda: a_second(work.train(arm, threads)),
        "Ultralytics": lambda: a_second(run(command, work.path)),
    }


def _plain_training(work: Checkout, backbone: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """The same training for plain Ultralytics, which knows no bfloat16 on a CPU and trains in single precision."""
    # Of the file's name Ultralytics takes the scale.
    model = work.path / f"plain-yolo11n-{backbone}.yaml"
    model.write_bytes((work.path / model_file(arm_of(backbone))).read_bytes())
    params = work.params()["train"]
    own = ("precision", "teacher", "taught", "dis")  # keys that Ultralytics does not have, or for a teacher alone
    settings = {key: value for key, value in params.items() if key not in own} | {
        **{"data": str(plain_description(work)), "amp": False, "pretrained": False, "plots": False},
        **{"patience": recipe["epochs"], "project": str(work.path / "runs"), "name": "plain", "exist_ok": True},
    }
    return {"model": str(model), "settings": settings}
