"""What a model costs: parameters, floating point operations, time of a forward pass."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from ultralytics.utils.torch_utils import get_flops

from mobileyolo.artifacts import LatencyRecord, Profile
from mobileyolo.config import Arm, Latency
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict


def profile(backbone: str, architecture: ModelDict, imgsz: int) -> Profile:
    """Cost of a model, fused as it is for inference.

    Args:
        backbone: its backbone's name, for the record.
        architecture: model dictionary.
        imgsz: side of the square input in pixels.

    Raises:
        RuntimeError: the operations can't be counted.
    """
    model = bridge.build_model(architecture).fuse(verbose=False)
    gflops = get_flops(model, imgsz)
    if not gflops:
        # Ultralytics 8.4 swallows any error in here and returns 0.
        raise RuntimeError(f"counting the operations of {backbone} at {imgsz} pixels failed")
    return Profile(
        backbone=backbone,
        imgsz=imgsz,
        classes=architecture["nc"],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        gflops=round(gflops, 4),
    )


def measure_latency(architectures: Mapping[Arm, ModelDict], imgsz: int, options: Latency) -> LatencyRecord:
    """Time forward passes of one image on the CPU, the arms in turn so that a drift of the machine hits both.

    Args:
        architectures: model dictionary by arm.
        imgsz: side of the square input in pixels.
        options: rounds and threads.
    """
    models = {arm: bridge.build_model(each).fuse(verbose=False).eval() for arm, each in architectures.items()}
    image = torch.rand(1, 3, imgsz, imgsz, generator=torch.Generator().manual_seed(0))
    times: dict[Arm, list[float]] = {arm: [] for arm in models}
    threads_before = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    warmup = 5
    try:
        with torch.inference_mode():
            for round_number in range(warmup + options.rounds):
                for arm, model in models.items():
                    start = time.perf_counter()
                    model(image)
                    if round_number >= warmup:
                        times[arm].append(round((time.perf_counter() - start) * 1e3, 4))
    finally:
        torch.set_num_threads(threads_before)
    return LatencyRecord(
        imgsz=imgsz,
        threads=options.threads,
        engine=f"PyTorch {torch.__version__} CPU, fused, single precision",
        machine=_processor(),
        latency_ms={arm: tuple(values) for arm, values in times.items()},
    )


def _processor() -> str:
    """Name of the processor, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
