"""The formats that a model can be exported to. Imports no engine, so that the command line can list them quickly."""

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
        file: the file or folder that Ultralytics makes from best.pt; it recognises the format by the ending.
        packages: names of the modules that export it and run the result.
    """

    title: str
    file: str
    packages: tuple[str, ...]


# By the name that Ultralytics has for the format.
EXPORT_FORMATS = {
    "onnx": Format("ONNX", "best.onnx", ("onnx", "onnxslim", "onnxruntime")),
    "openvino": Format("OpenVINO", "best_openvino_model", ("openvino",)),
    "ncnn": Format("NCNN", "best_ncnn_model", ("ncnn", "pnnx")),
    "torchscript": Format("TorchScript", "best.torchscript", ("torch",)),
}


def check_packages(names: Iterable[str]) -> None:
    """Raise unless everything that these formats need is installed.

    Without a package, Ultralytics (8.4) only fails at an import somewhere in its exporter.

    Args:
        names: keys of EXPORT_FORMATS.

    Raises:
        ExportError: the message names the format, the package and the command that installs it.
    """
    for name in names:
        missing = [package for package in EXPORT_FORMATS[name].packages if importlib.util.find_spec(package) is None]
        if missing:
            said = extras.advice(missing[0]) or f"{missing[0]} is not installed"
            raise ExportError(f"{EXPORT_FORMATS[name].title}: {said}, or leave the format out with --format")
