"""Where a model's time goes: a pass through its backbone, its neck or its head, as a share of yolo11n's whole pass."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.measuring import Case, Sample, Scale, Way, Ways

if TYPE_CHECKING:
    from ultralytics.nn.tasks import DetectionModel

PEER = "yolo11n"
BACKBONES = ("mnv1_n", "mnv1_s", "mnv1_m", PEER)
PARTS = ("backbone", "neck", "head")
CLASSES = 80
WARMUP = 3  # passes that are not timed
ROUNDS = 60


def cases(scale: Scale) -> list[Case]:
    """Every part of every model, fused, in PyTorch with one thread."""
    imgsz = 160 if scale.quick else 640
    found = [
        Case(
            subject="parts",
            name=f"{part} of {backbone}",
            unit="ms",
            size={"imgsz": imgsz, "classes": CLASSES},
            open=partial(_opened, backbone, part, imgsz),
            rounds=scale.rounds(ROUNDS),
        )
        for backbone in BACKBONES
        for part in PARTS
    ]
    return found[:1] if scale.quick else found


@contextmanager
def _opened(backbone: str, part: str, imgsz: int) -> Iterator[Ways]:
    import torch

    threads = torch.get_num_threads()
    ways = {
        f"{part} of {backbone}": _way(backbone, PARTS.index(part), imgsz),
        f"all of {PEER}": _way(PEER, None, imgsz),
    }
    torch.set_num_threads(1)  # after the models are built, which sets another number
    try:
        yield ways
    finally:
        torch.set_num_threads(threads)


def _way(backbone: str, part: int | None, imgsz: int) -> Way:
    """The time of one part in a whole pass, or of all of them."""
    import torch

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict

    model = bridge.build_model(model_dict(backbone, CLASSES, bridge.stock_architecture()))
    model = model.fuse(verbose=False).eval().to(memory_format=torch.channels_last)
    marks = _marks(model)
    image = torch.rand(1, 3, imgsz, imgsz).to(memory_format=torch.channels_last)

    def measure() -> Sample:
        with torch.inference_mode():
            marks.clear()
            marks.append(time.perf_counter())
            model(image)
        seconds = [end - start for start, end in pairwise(marks)]
        return Sample((sum(seconds) if part is None else seconds[part]) * 1e3)

    for _ in range(WARMUP):
        measure()
    return measure


def _marks(model: DetectionModel) -> list[float]:
    """A list to which each pass appends the times when its backbone, its neck and its head are ready."""
    from mobileyolo.costs.counting import first_of_neck

    marks: list[float] = []
    neck = first_of_neck(model)
    for index in (neck - 1, len(model.model) - 2, len(model.model) - 1):
        model.model[index].register_forward_hook(lambda *_: marks.append(time.perf_counter()))
    return marks
