"""What a model can be exported to. Light: the command line lists it without importing any of the engines."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass

from mobileyolo import extras
from mobileyolo.core.errors import ExportError


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        title: its name as people write it.
        file: the file or folder that Ultralytics makes of best.pt; it recognises a format by these endings.
        packages: what exports it and runs the result, as imported.
    """

    title: str
    file: str
    packages: tuple[str, ...]


# By Ultralytics' name.
FORMATS = {
    "onnx": Format("ONNX", "best.onnx", ("onnx", "onnxslim", "onnxruntime")),
    "openvino": Format("OpenVINO", "best_openvino_model", ("openvino",)),
    "ncnn": Format("NCNN", "best_ncnn_model", ("ncnn", "pnnx")),
    "torchscript": Format("TorchScript", "best.torchscript", ("torch",)),
}


def check_packages(names: Iterable[str]) -> None:
    """Raise unless everything that these formats need is installed.

    Ultralytics (8.4) would go on without a package until an import deep inside it fails.

    Args:
        names: keys of FORMATS.

    Raises:
        ExportError: the message names the format, the package and the command that installs it.
    """
    for name in names:
        missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
        if missing:
            said = extras.advice(missing[0]) or f"{missing[0]} is not installed"
            raise ExportError(f"{FORMATS[name].title}: {said}, or leave the format out with --format")
