"""Files of torch that others may have written, read without running anything in them.

torch's restricted loader builds the classes of a list and no others, but calls them with what the file says, and
constructors of Ultralytics 8.4 download: that of `TorchVision`, and that of `DetectionModel` if it is given a URL. Here
no constructor of a network runs: an object is made empty and filled with its attributes, as pickle fills what it saved.

MLflow stores a copy of this file beside serving.py, so it imports nothing of this package.
"""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# The classes in checkpoints of MobileNetV1, of Ultralytics' detectors that end in Detect (YOLOv3 to YOLO26), of its
# classifiers of YOLO11 with their transforms of images, and of a training that still runs.
_FILLED = {
    "torch.nn.modules.activation": "ReLU ReLU6 SiLU",
    "torch.nn.modules.batchnorm": "BatchNorm2d",
    "torch.nn.modules.container": "ModuleList Sequential",
    "torch.nn.modules.conv": "Conv2d ConvTranspose2d",
    "torch.nn.modules.dropout": "Dropout",
    "torch.nn.modules.linear": "Identity Linear",
    "torch.nn.modules.loss": "BCEWithLogitsLoss",
    "torch.nn.modules.padding": "ZeroPad2d",
    "torch.nn.modules.pooling": "AdaptiveAvgPool2d MaxPool2d",
    "torch.nn.modules.upsampling": "Upsample",
    "torchvision.transforms.transforms": "CenterCrop Compose Normalize Resize ToTensor",
    "ultralytics.nn.distill_model": "DistillationModel FeatureHook",
    "ultralytics.nn.modules.block": (
        "A2C2f AAttn ABlock AConv ADown Attention Bottleneck C2 C2PSA C2f C3 C3Ghost C3k C3k2 CBFuse CBLinear DFL "
        "ELAN1 GhostBottleneck PSABlock RepBottleneck RepCSP RepNCSPELAN4 SPP SPPELAN SPPF TorchVision"
    ),
    "ultralytics.nn.modules.conv": "Concat Conv DWConv GhostConv Index RepConv",
    "ultralytics.nn.modules.head": "Classify Detect",
    "ultralytics.nn.tasks": "ClassificationModel DetectionModel",
    "ultralytics.utils.loss": "BboxLoss DFLoss E2ELoss v8ClassificationLoss v8DetectionLoss",
    "ultralytics.utils.tal": "TaskAlignedAssigner",
}
_CLASSES = {f"{module}.{name}": (module, name) for module, names in _FILLED.items() for name in names.split()}
# As early releases of Ultralytics 8 named its modules.
_CLASSES |= {f"ultralytics.nn.modules.{name}": (m, name) for m, name in _CLASSES.values() if "nn.modules." in m}
# Plain values beside the networks. These are called, and do nothing but hold what they are given.
_SCALAR = np.float64(0).__reduce__()[0]
_VALUES: dict[str, Any] = {
    "numpy.dtype": np.dtype,
    "numpy.core.multiarray.scalar": _SCALAR,
    "numpy._core.multiarray.scalar": _SCALAR,
    **{f"{module}.PosixPath": PurePosixPath for module in ("pathlib", "pathlib._local")},
    **{f"{module}.WindowsPath": PureWindowsPath for module in ("pathlib", "pathlib._local")},
}
# The same, but imported only for a file that names them: a list of settings, and a choice of one word.
_NAMESPACE = "ultralytics.utils.IterableSimpleNamespace"
_INTERPOLATION = "torchvision.transforms.functional.InterpolationMode"
_ALONE = threading.RLock()  # torch keeps one list for the whole process


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of an Ultralytics detector or classifier, or a state dict; tensors are on the CPU.

    Raises:
        ValueError: the file is no such checkpoint, names another class, or would take more memory than it has bytes.
    """
    return _read(path, [*_CLASSES, *_VALUES, _NAMESPACE, _INTERPOLATION])


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict, which maps names to tensors; they are on the CPU.

    Raises:
        ValueError: the file is no state dict, or would take more memory than it has bytes.
    """
    return state_dict(_read(path, []))


def state_dict(content: dict[str, Any]) -> dict[str, Tensor]:
    """A file's content, if it is a state dict, which maps names to tensors.

    Raises:
        ValueError: it is something else.
    """
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError("it is not a state dict, which maps names to tensors")
    return content


def _read(path: Path, allowed: list[str]) -> dict[str, Any]:
    try:
        return _checked(path, allowed)
    except (ValueError, OSError):
        raise
    except Exception as error:  # torch, pickle and zipfile can raise almost anything for damaged bytes
        raise ValueError(str(error)) from error


def _checked(path: Path, allowed: list[str]) -> dict[str, Any]:
    archive = _archive(path)
    with _nothing_else_allowed():
        named = torch.serialization.get_unsafe_globals_in_checkpoint(archive)
        if foreign := sorted(set(named) - set(allowed)):
            raise ValueError(f"it names {', '.join(map(ascii, foreign))}, which no detector or classifier needs")
        archive.seek(0)
        with torch.serialization.safe_globals(_entries(named)):
            content = torch.load(archive, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a dictionary")  # noqa: TRY004 -- one kind of error
    # A tensor can claim any shape over a few bytes; the first copy of it would fill the memory.
    if _bytes_of_tensors(content) > path.stat().st_size:
        raise ValueError("its tensors take more memory than the file has bytes")
    return content


def _archive(path: Path) -> io.BytesIO:
    """A file of torch as torch may read it: a copy, since another reader can find another directory in the same zip."""
    copied = io.BytesIO()
    with zipfile.ZipFile(path) as original, zipfile.ZipFile(copied, "w") as copy:
        entries = original.infolist()
        # torch never compresses, so that an honest file's parts are together smaller than the file.
        declared = sum(entry.file_size for entry in entries)
        if declared > path.stat().st_size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError(f"it would unpack to {declared:,} bytes, and has {path.stat().st_size:,}")
        for entry in entries:
            copy.writestr(entry.filename, original.read(entry))
    copied.seek(0)
    return copied


@contextmanager
def _nothing_else_allowed() -> Iterator[None]:
    """Take what others have put on torch's list off it, while the block runs."""
    with _ALONE:
        others = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            yield
        finally:
            torch.serialization.add_safe_globals(others)


def _entries(named: list[str]) -> list[Any]:
    """What stands for each name in torch's list."""
    entries: list[Any] = [(_VALUES[name], name) for name in named if name in _VALUES]
    entries += [(_filled(getattr(import_module(_CLASSES[n][0]), _CLASSES[n][1])), n) for n in named if n in _CLASSES]
    if "numpy.dtype" in named:
        entries += {type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)}
    for name in {_NAMESPACE, _INTERPOLATION} & set(named):
        module, _, kind = name.rpartition(".")
        entries.append((getattr(import_module(module), kind), name))
    return entries


def _filled(kind: type) -> type:
    """A class to be pickled in place of `kind`: it refuses to be called, and is of that class when it is filled."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ValueError(f"it calls {kind.__name__}, where a checkpoint only fills it")

    def fill(self: Any, state: Any) -> None:
        self.__class__ = kind
        if hasattr(kind, "__setstate__"):
            self.__setstate__(state)
        else:
            vars(self).update(state)

    return type(kind.__name__, (kind,), {"__init__": refuse, "__setstate__": fill})


def _bytes_of_tensors(content: dict[str, Any]) -> int:
    tensors: list[Tensor] = []
    for value in content.values():
        tensors += value.state_dict().values() if isinstance(value, nn.Module) else [value]
    return sum(each.numel() * each.element_size() for each in tensors if isinstance(each, Tensor))
