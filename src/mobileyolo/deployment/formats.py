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
        int8_file: the file or folder of the quantised model; "" if the format is not quantised here.
        quantiser: names of the modules that quantise it.
    """

    title: str
    file: str
    packages: tuple[str, ...]
    int8_file: str = ""
    quantiser: tuple[str, ...] = ()


# By the name that Ultralytics has for the format.
EXPORT_FORMATS = {
    "onnx": Format("ONNX", "best.onnx", ("onnx", "onnxslim", "onnxruntime"), "best_int8.onnx", ("onnxruntime",)),
    "openvino": Format(
        "OpenVINO", "best_openvino_model", ("openvino",), "best_int8_openvino_model", ("openvino", "nncf")
    ),
    "ncnn": Format("NCNN", "best_ncnn_model", ("ncnn", "pnnx")),
    "torchscript": Format("TorchScript", "best.torchscript", ("torch",)),
}
INT8_FORMATS = tuple(name for name, each in EXPORT_FORMATS.items() if each.int8_file)


def check_packages(names: Iterable[str], int8: bool = False) -> None:
    """Raise unless everything that these formats need is installed.

    Without a package, Ultralytics (8.4) only fails at an import somewhere in its exporter.

    Args:
        names: keys of EXPORT_FORMATS.
        int8: are those of INT8_FORMATS quantised as well?

    Raises:
        ExportError: the message names the format, the package and the command that installs it.
    """
    for name in names:
        wanted = EXPORT_FORMATS[name]
        packages = wanted.packages + (wanted.quantiser if int8 else ())
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            said = extras.advice(missing[0]) or f"{missing[0]} is not installed"
            raise ExportError(f"{wanted.title}: {said}, or leave the format out with --format")
