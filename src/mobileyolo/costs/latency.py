"""Latency of a model: the time of a forward pass, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from tqdm import tqdm

from mobileyolo.core import environment
from mobileyolo.core.backbones import Arm
from mobileyolo.core.records import EngineLatency, LatencyRecord
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.deployment import engines, exporting
from mobileyolo.deployment.engines import Engine
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict

WARMUP = 5  # rounds that are not counted


def measure_latency(architectures: Mapping[Arm, ModelDict], imgsz: int, options: LatencyOptions) -> LatencyRecord:
    """Time forward passes of one image on the CPU. The weights are random, which does not change the time.

    Args:
        architectures: model dictionary by arm.
        imgsz: side of the square input in pixels.
        options: rounds and threads.
    """
    threads_before = torch.get_num_threads()
    environment.STATE_DIR.mkdir(exist_ok=True)
    try:
        models = {arm: bridge.build_model(each) for arm, each in architectures.items()}
        with tempfile.TemporaryDirectory(dir=environment.STATE_DIR, prefix="latency-") as folder:
            onnx = {
                arm: engines.load("onnx", exporting.export(model, "onnx", Path(folder, arm), imgsz), options.threads)
                for arm, model in models.items()
            }
        pytorch = {arm: engines.pytorch(model.fuse(verbose=False).eval()) for arm, model in models.items()}
        torch.set_num_threads(options.threads)  # after the export, which sets another number
        timed = {
            "latency_ms": (f"PyTorch {torch.__version__} (CPU, fused)", pytorch),
            "latency_onnx_ms": (f"ONNX Runtime {version('onnxruntime')} (CPU)", onnx),
        }
        measured = {
            name: EngineLatency(engine=engine, rounds_ms=_timed(engine, arms, imgsz, options.rounds))
            for name, (engine, arms) in timed.items()
        }
    finally:
        torch.set_num_threads(threads_before)
    return LatencyRecord(imgsz=imgsz, threads=options.threads, machine=environment.processor(), engines=measured)


def _timed(name: str, arms: Mapping[Arm, Engine], imgsz: int, rounds: int) -> dict[str, tuple[float, ...]]:
    """Milliseconds by arm and round. The arms take turns, so that a change of the machine's speed affects both."""
    image = torch.rand(1, 3, imgsz, imgsz, generator=torch.Generator().manual_seed(0)).numpy()
    times: dict[str, list[float]] = {arm: [] for arm in arms}
    # The bar is drawn between rounds, and only on a terminal.
    for round_number in tqdm(range(WARMUP + rounds), desc=name, unit="round", disable=None):
        for arm, run in arms.items():
            start = time.perf_counter()
            run(image)
            if round_number >= WARMUP:
                times[arm].append(round((time.perf_counter() - start) * 1e3, 4))
    return {arm: tuple(values) for arm, values in times.items()}
