"""Latency of exported models in each engine, as a ratio to yolo11n in single precision in the same engine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import Case, Sample, Scale, Way, Ways
from mobileyolo.deployment.formats import EXPORT_FORMATS

PEER = "yolo11n"
BACKBONES = ("mnv1_n", "mnv1_s", "mnv1_m", PEER)
FORMATS = ("onnx", "openvino", "ncnn")
CLASSES = 80
CALIBRATION_IMAGES = 8  # their number changes accuracy, not latency
PASSES = 5  # of a round; their mean counts
ROUNDS = 30


def cases(scale: Scale) -> list[Case]:
    """Every backbone and precision in every engine, with one thread and with two."""
    found = [
        _case(name, threads, backbone, precision, 160 if scale.quick else 640, scale)
        for name in FORMATS
        for threads in (1, 2)
        for precision in (("fp32", "int8") if EXPORT_FORMATS[name].int8_file else ("fp32",))
        for backbone in BACKBONES
        if (backbone, precision) != (PEER, "fp32")
    ]
    return found[:1] if scale.quick else found


def _case(name: str, threads: int, backbone: str, precision: str, imgsz: int, scale: Scale) -> Case:
    return Case(
        subject="deployment",
        name=f"{EXPORT_FORMATS[name].title}, {threads} thread{'s'[: threads - 1]}, {backbone} {precision}",
        unit="ms",
        size={"imgsz": imgsz, "classes": CLASSES},
        open=partial(_opened, name, threads, backbone, precision, imgsz),
        rounds=scale.rounds(ROUNDS),
    )


@contextmanager
def _opened(name: str, threads: int, backbone: str, precision: str, imgsz: int) -> Iterator[Ways]:
    judged = (_exported if precision == "fp32" else _quantised)(name, backbone, imgsz)
    peer = _exported(name, PEER, imgsz)
    yield {
        f"{backbone} {precision}": _way(name, judged, threads, imgsz),
        f"{PEER} fp32": _way(name, peer, threads, imgsz),
    }


def _way(name: str, path: Path, threads: int, imgsz: int) -> Way:
    from mobileyolo.deployment import engines

    engine, image = engines.load(name, path, threads), _noise(imgsz)

    def measure() -> Sample:
        engine(image)  # after the other one, whose weights are in the processor's cache
        start = time.perf_counter()
        for _ in range(PASSES):
            engine(image)
        return Sample((time.perf_counter() - start) * 1e3 / PASSES)

    return measure


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """The folder of all exported files, which is removed when this process ends."""
    return tempfile.TemporaryDirectory(prefix="mobileyolo-benchmark-")


@cache
def _exported(name: str, backbone: str, imgsz: int) -> Path:
    """A model of random weights, exported: what a pass costs does not depend on the weights."""
    from mobileyolo.deployment import exporting
    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict

    model = bridge.build_model(model_dict(backbone, CLASSES, bridge.stock_architecture())).eval()
    return exporting.export(model, name, Path(_folder().name, name, backbone), imgsz)


@cache
def _quantised(name: str, backbone: str, imgsz: int) -> Path:
    """The int8 twin of an exported model, calibrated with noise."""
    from mobileyolo.deployment import exporting, onnx_quantiser, openvino_quantiser
    from mobileyolo.deployment.inputs import CalibrationImages

    class Noise(CalibrationImages):
        """Images of no dataset."""

        def __init__(self) -> None:
            self._images = [_noise(imgsz, seed) for seed in range(CALIBRATION_IMAGES)]

        def __len__(self) -> int:
            return len(self._images)

        def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
            return iter(self._images)

    quantisers = {"onnx": onnx_quantiser.quantise, "openvino": openvino_quantiser.quantise}
    exported = _exported(name, backbone, imgsz)
    quantised = exported.with_name(EXPORT_FORMATS[name].int8_file)
    with exporting.silenced(exported.with_name(exporting.LOG)):
        quantisers[name](exported, Noise(), quantised)
    return quantised


def _noise(imgsz: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).random((1, 3, imgsz, imgsz), dtype=np.float32)
