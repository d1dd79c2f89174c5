"""Where the pipeline and an unforked Ultralytics (8.4) meet: with dropin.py, all that touches Ultralytics' globals."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from ultralytics import __version__ as ultralytics_version
from ultralytics.engine import validator
from ultralytics.nn import tasks
from ultralytics.utils import ROOT, SETTINGS, torch_utils

from mobileyolo.core import environment
from mobileyolo.models import dropin
from mobileyolo.models.architecture import ModelDict

# Integrations that Ultralytics starts by itself: MLflow and DVC are ours to talk to, the others are not asked for.
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "sync")
_HINTS = ("vscode_msg", "openvino_msg")  # printed once; to remember that, Ultralytics would write its settings file


def prepare() -> None:
    """Make MobileNetV1 known to Ultralytics' parser, and keep its integrations and thread count ours."""
    dropin.register(tasks)
    # In memory only: SETTINGS' own update would write the user's settings file.
    dict.update(SETTINGS, dict.fromkeys((*_INTEGRATIONS, *_HINTS), False))
    # select_device sets this many threads on every call; the default leaves one core idle.
    torch_utils.NUM_THREADS = environment.threads()


def engine() -> dict[str, str]:
    """What computes here, as far as it decides a result: versions of the libraries, kind of device."""
    return {
        "ultralytics": ultralytics_version,
        "torch": torch.__version__,
        "device": torch_utils.select_device(environment.device(), verbose=False).type,
    }


def stock_architecture() -> ModelDict:
    """YOLO11's own architecture with all its scales, as the installed Ultralytics ships it."""
    path = Path(ROOT) / "cfg/models/11/yolo11.yaml"
    architecture: ModelDict = yaml.safe_load(path.read_text(encoding="utf-8"))
    return architecture


def build_model(architecture: ModelDict) -> tasks.DetectionModel:
    """A detection model with fresh weights from a model dictionary; the dictionary is left as it is."""
    prepare()
    return tasks.DetectionModel(copy.deepcopy(architecture), nc=architecture["nc"], verbose=False)


@contextmanager
def serving(dataset: dict[str, Any]) -> Iterator[None]:
    """Let a stand-alone validator use this dataset dictionary.

    Ultralytics would read a YAML file from its path argument, resolve folders against its own settings and ask the
    network for a font; there is no method to override, only this global.
    """
    original = validator.check_det_dataset
    validator.check_det_dataset = lambda *_args, **_kwargs: dataset
    try:
        yield
    finally:
        validator.check_det_dataset = original


def load_model(weights: Path) -> tasks.DetectionModel:
    """The model in a checkpoint of ours, in single precision. Unpickles: never call it on a file from elsewhere."""
    prepare()
    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    return checkpoint["model"].float().eval()


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 of a model's tensors: names, types, shapes and bytes, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
