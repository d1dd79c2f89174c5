"""The pipeline's access to an unmodified Ultralytics (8.4). Only this file and dropin.py change its globals."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from ultralytics.engine import validator
from ultralytics.nn import tasks
from ultralytics.utils import ROOT, SETTINGS, torch_utils

from mobileyolo.core import environment
from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import read_mapping
from mobileyolo.models import dropin
from mobileyolo.models.architecture import ModelDict
from mobileyolo.models.checkpoints import read_checkpoint

# Integrations that Ultralytics starts by itself. This project uses MLflow and DVC directly, and the others not at all.
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "sync")
# Hints that Ultralytics prints once; it would then write its settings file to remember that.
_HINTS = ("vscode_msg", "openvino_msg")


def prepare() -> None:
    """Add MobileNetV1 to Ultralytics' parser, switch its integrations off, and set its number of threads."""
    dropin.register(tasks)
    # In memory only: SETTINGS.update would write the user's settings file.
    dict.update(SETTINGS, dict.fromkeys((*_INTEGRATIONS, *_HINTS), False))
    # select_device sets this number of threads on every call; the default leaves one core idle.
    torch_utils.NUM_THREADS = environment.threads()
    torch.set_num_threads(environment.threads())  # for what selects no device, such as counting operations


def engine() -> dict[str, str]:
    """What a result depends on besides its inputs: versions, kind of device, threads, instruction set, loader workers.

    Several GPUs are counted, because each one's batch norms see a share of the batch. Loader workers are, because each
    draws random numbers of its own.

    Another value of any of these is another training: its weights differ as much as those of another seed.
    """
    device = torch_utils.select_device(",".join(environment.devices()), verbose=False).type  # of the first one
    gpus = len(environment.devices())
    packages = ("ultralytics", "torch", "numpy", "opencv-python", "pillow")
    # As Ultralytics (8.4) counts them: none on a CPU, and at most a GPU's share of the cores.
    cores = (os.cpu_count() or 1) // max(torch.cuda.device_count(), 1)
    return {
        **{package: version(package) for package in packages},
        "device": device,
        "threads": str(environment.threads()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "workers": "0" if device in ("cpu", "mps") else str(min(cores, environment.workers())),
        **({"gpus": str(gpus)} if gpus > 1 else {}),
    }


def stock_architecture() -> ModelDict:
    """YOLO11's own architecture with all its scales, as the installed Ultralytics ships it."""
    return read_mapping(Path(ROOT) / "cfg/models/11/yolo11.yaml")


def build_model(architecture: ModelDict) -> tasks.DetectionModel:
    """A detection model with random weights from a model dictionary; the dictionary is not changed."""
    prepare()
    return tasks.DetectionModel(copy.deepcopy(architecture), nc=architecture["nc"], verbose=False)


@contextmanager
def serving(dataset: dict[str, Any]) -> Iterator[None]:
    """Make a validator use this dataset dictionary, while the block runs.

    Otherwise Ultralytics would read a YAML file, resolve its folders by its own settings and download a font. There is
    no method to override, only this global function.
    """
    original = validator.check_det_dataset
    validator.check_det_dataset = lambda *_args, **_kwargs: dataset
    try:
        yield
    finally:
        validator.check_det_dataset = original


def load_model(weights: Path) -> tasks.DetectionModel:
    """The model in a checkpoint of a detector, in single precision; nothing in the file is run.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    prepare()
    with reading(weights, "an Ultralytics checkpoint"):
        model = model_in(read_checkpoint(weights))
        if not isinstance(model, tasks.DetectionModel):
            raise WeightsError(f"{weights}: holds a {type(model).__name__}, not a detection model")
        return model.float().eval()


def norm_eps() -> float:
    """Epsilon of the batch norms in every detector that Ultralytics builds; its classifiers have torch's own."""
    norm = torch.nn.BatchNorm2d(1)
    torch_utils.initialize_weights(norm)
    return norm.eps


def model_in(checkpoint: dict[str, Any]) -> object:
    """The model in a checkpoint of Ultralytics.

    Raises:
        KeyError: there is none.
    """
    return checkpoint.get("ema") or checkpoint["model"]


@contextmanager
def reading(path: Path, wanted: str) -> Iterator[None]:
    """Make one clear error of whatever is raised while a file of weights is read, and while what it holds is looked at.

    Args:
        path: the file.
        wanted: what it should be, for the error.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
        ModuleNotFoundError: a package that is needed to read it is not installed.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    if not path.stat().st_size:
        raise WeightsError(f"{path}: the file is empty")
    try:
        yield
    except (WeightsError, ModuleNotFoundError):  # said already, or an extra of this package is not installed
        raise
    except Exception as error:  # torch, safetensors, h5py and Ultralytics can raise almost anything for damaged bytes
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path}: can't be read as {wanted}: it is damaged or something else ({reason})") from error


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 of a model's tensors: names, types, shapes and bytes, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
