"""Latency of both arms: the time of their forward passes, taken in turn.

A round is four passes on the same images: baseline, candidate, candidate, baseline. An arm's time in a round is the
mean of its two passes. So a machine that becomes slower or faster at an even rate changes both arms' times alike, each
arm runs once after itself and once after the other, and rounds can be compared with each other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.torch_utils import select_device

from mobileyolo.core import environment
from mobileyolo.core.backbones import Arm
from mobileyolo.core.records import LatencyRecord, Timing
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.deployment import engines, exporting
from mobileyolo.deployment.engines import Array

ORDER: tuple[Arm, ...] = ("baseline", "candidate", "candidate", "baseline")
BATCH = 8  # images a pass, where it is not one
FEWEST_ROUNDS = 6  # from which the interval of a median is sure to 95 %
WARMUP = 1  # rounds that are not counted

Pass = Callable[[Any], object]  # (N, 3, H, W) -> whatever the network gives


@dataclass(frozen=True)
class Suppression:
    """Non-maximum suppression as in use: of the best class of each box, above the confidence to deploy with.

    Attributes:
        confidences: by arm.
        iou: two boxes of a class that overlap more are one.
        max_det: boxes an image.
    """

    confidences: Mapping[Arm, float]
    iou: float
    max_det: int


@dataclass(frozen=True)
class Setting:
    """What is timed.

    Attributes:
        engine: name, version and device.
        images: (N, 3, H, W); a pass takes `batch` of them.
        batch: images in a pass.
        passes: by arm.
        suppression: is it part of the passes?
    """

    engine: str
    images: Any
    batch: int
    passes: Mapping[Arm, Pass]
    suppression: bool = False


def measure_latency(
    models: Mapping[Arm, DetectionModel], images: Array, suppression: Suppression, options: LatencyOptions
) -> LatencyRecord:
    """Time both arms in PyTorch and ONNX Runtime on the CPU, and in PyTorch on a GPU if that is the device.

    Args:
        models: trained models by arm, not yet fused; they are fused.
        images: (8, 3, H, W), RGB in [0, 1].
        suppression: what is timed with the forward pass in one of the settings.
        options: rounds and threads.
    """
    threads_before = torch.get_num_threads()
    environment.STATE_DIR.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=environment.STATE_DIR, prefix="latency-") as folder:
            settings = _settings(models, images, suppression, options.threads, Path(folder))
        timings = {
            name: Timing(
                engine=setting.engine,
                batch=setting.batch,
                height=images.shape[2],
                width=images.shape[3],
                suppression=setting.suppression,
                rounds_ms=_timed(name, setting, rounds_of(setting.batch, options.rounds)),
            )
            for name, setting in settings.items()
        }
    finally:
        torch.set_num_threads(threads_before)
    return LatencyRecord(
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=environment.processor(),
        threads=options.threads,
        timings=timings,
    )


def rounds_of(batch: int, rounds: int) -> int:
    """Rounds of a setting: with more images a pass, fewer rounds of as many images in all, but enough for an interval.

    Args:
        batch: images in a pass.
        rounds: those of a setting with one image a pass.
    """
    return max(FEWEST_ROUNDS, rounds // batch)


def _settings(
    models: Mapping[Arm, DetectionModel], images: Array, suppression: Suppression, threads: int, folder: Path
) -> dict[str, Setting]:
    """All settings, by name of the cost."""
    # The exporter copies the models, so it has to come before they are fused.
    side = max(images.shape[2:])
    files = {arm: exporting.export(model, "onnx", folder / arm, side, dynamic=True) for arm, model in models.items()}
    sessions = {
        batch: {arm: engines.onnx(file, threads, (batch, *images.shape[2:])) for arm, file in files.items()}
        for batch in (1, BATCH)
    }
    fused = {arm: model.fuse(verbose=False).eval() for arm, model in models.items()}
    pytorch = {arm: engines.pytorch(model) for arm, model in fused.items()}
    suppressed = {
        arm: _with_suppression(run, suppression.confidences[arm], suppression) for arm, run in pytorch.items()
    }
    title = f"PyTorch {torch.__version__} (CPU, fused)"
    onnx_title = f"ONNX Runtime {version('onnxruntime')} (CPU)"
    settings = {
        "latency_ms": Setting(title, images, 1, pytorch),
        "latency_onnx_ms": Setting(onnx_title, images, 1, sessions[1]),
        "latency_nms_ms": Setting(title, images, 1, suppressed, suppression=True),
        "latency_batch8_ms": Setting(title, images, BATCH, pytorch),
        "latency_onnx_batch8_ms": Setting(onnx_title, images, BATCH, sessions[BATCH]),
    }
    device = select_device(environment.device(), verbose=False)
    torch.set_num_threads(threads)  # after the export and select_device, which set another number
    if device.type != "cpu":
        settings |= gpu_settings(fused, images, device)
    return settings


def gpu_settings(fused: Mapping[Arm, DetectionModel], images: Array, device: torch.device) -> dict[str, Setting]:
    """The same in PyTorch on a GPU, from images that are there already.

    Args:
        fused: models by arm; they are moved there.
        images: (8, 3, H, W).
        device: the GPU.
    """
    passes = {arm: _synchronised(model.to(device), device) for arm, model in fused.items()}
    title = f"PyTorch {torch.__version__} ({_device_name(device)}, fused)"
    there = torch.from_numpy(images).to(device)
    return {
        "latency_gpu_ms": Setting(title, there, 1, passes),
        "latency_gpu_batch8_ms": Setting(title, there, BATCH, passes),
    }


def _synchronised(model: DetectionModel, device: torch.device) -> Pass:
    """A forward pass that returns when the GPU has finished it, and not when it has been queued."""

    def run(images: torch.Tensor) -> None:
        with torch.inference_mode():
            model(images)
        torch.accelerator.synchronize(device)

    return run


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def _with_suppression(run: engines.Engine, confidence: float, suppression: Suppression) -> Pass:
    def suppressed(images: Array) -> object:
        output = torch.from_numpy(run(images))
        return non_max_suppression(output, confidence, suppression.iou, max_det=suppression.max_det)

    return suppressed


def _timed(name: str, setting: Setting, rounds: int) -> dict[str, tuple[float, ...]]:
    """Milliseconds a pass, by arm and round."""
    times: dict[Arm, list[float]] = {arm: [] for arm in setting.passes}
    # The bar is drawn between rounds, and only on a terminal.
    for number in tqdm(range(WARMUP + rounds), desc=name, unit="round", disable=None):
        first = number * setting.batch % len(setting.images)
        images = setting.images[first : first + setting.batch]
        spent = dict.fromkeys(ORDER, 0.0)
        for arm in ORDER:
            start = time.perf_counter()
            setting.passes[arm](images)
            spent[arm] += (time.perf_counter() - start) * 1e3
        if number >= WARMUP:
            for arm, total in spent.items():
                times[arm].append(round(total / ORDER.count(arm), 4))
    return {arm: tuple(values) for arm, values in times.items()}
