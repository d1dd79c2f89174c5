"""Run a model in PyTorch or an exported file in its own engine. The only importer of ONNX Runtime, OpenVINO and NCNN.

But for the quantisers, which have modules of their own. All run on the CPU in single precision, even if the engine's
default on this processor is half precision: the exported network is compared, not the arithmetic of one processor.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from ultralytics.nn.tasks import DetectionModel

Array = npt.NDArray[np.float32]
# (N, 3, H, W), RGB in [0, 1] -> (N, 4 + classes, anchors): xywh in pixels of the input, confidences in [0, 1].
Engine = Callable[[Array], Array]


def pytorch(model: DetectionModel) -> Engine:
    """A fused model in PyTorch."""

    def run(image: Array) -> Array:
        with torch.inference_mode():
            output: Array = model(torch.from_numpy(image))[0].numpy()
        return output

    return run


def load(name: str, path: Path, threads: int) -> Engine:
    """An exported file in its engine.

    Args:
        name: a key of EXPORT_FORMATS.
        path: the file or folder.
        threads: CPU threads; TorchScript uses PyTorch's setting instead.
    """
    return {"onnx": onnx, "openvino": _openvino, "ncnn": _ncnn, "torchscript": _torchscript}[name](path, threads)


def onnx(path: Path, threads: int, shape: tuple[int, int, int] | None = None) -> Engine:
    """An ONNX file in ONNX Runtime.

    Args:
        path: the file.
        threads: CPU threads.
        shape: images a pass, height and width in pixels. A file that takes any shape is prepared for this one, and then
            runs like a file that was exported for it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for name, size in zip(("batch", "height", "width"), shape or (), strict=shape is not None):
        options.add_free_dimension_override_by_name(name, size)  # Ultralytics' exporter gives the names
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()

    def run(image: Array) -> Array:
        output: Array = session.run(None, {source.name: image})[0]
        return output

    return run


def _openvino(path: Path, threads: int) -> Engine:
    import openvino

    # The default is bfloat16 on processors that have it.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(str(path / "best.xml"), "CPU", options)

    def run(image: Array) -> Array:
        output: Array = compiled(image)[0]
        return output

    return run


def _ncnn(path: Path, threads: int) -> Engine:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    # The default is half precision on processors that have it.
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(str(path / "model.ncnn.param"))
    net.load_model(str(path / "model.ncnn.bin"))
    (source,), (result,) = net.input_names(), net.output_names()

    def run(image: Array) -> Array:
        with net.create_extractor() as extractor:
            extractor.input(source, ncnn.Mat(image[0]))
            return np.array(extractor.extract(result)[1])[None]

    return run


def _torchscript(path: Path, _threads: int) -> Engine:
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch 2.14 deprecates TorchScript
        script = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]

    def run(image: Array) -> Array:
        with torch.inference_mode():
            output: Array = script(torch.from_numpy(image)).numpy()
        return output

    return run
