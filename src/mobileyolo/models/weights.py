"""Weights from elsewhere: read without running what they hold, and moved to where they belong in an arm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from ultralytics.nn import tasks
from ultralytics.nn.modules import Detect
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import FetchedWeights, Role, replacing
from mobileyolo.core.records import StartRecord, WeightsSource
from mobileyolo.models import bridge
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, ModelDict, Row
from mobileyolo.models.imagenet import from_timm
from mobileyolo.models.mobilenet_v1 import MobileNetV1

Tensors = dict[str, Tensor]


def fetch(role: Role, path: Path, copy: Path) -> WeightsSource:
    """Read weights from elsewhere and write a copy that holds nothing else.

    Args:
        role: what they are for.
        path: their file.
        copy: tensors by name, or of a teacher a checkpoint.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    save(_READERS[role](path), copy)
    return WeightsSource(name=path.name, digest=hashlib.sha256(path.read_bytes()).hexdigest())


def save(content: object, path: Path) -> None:
    """Write what torch can save, whole or not at all; the same content gives the same bytes anywhere."""
    # Through a handle: given a path, torch writes its name into the file, and the bytes would depend on it.
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def read_backbone(path: Path) -> Tensors:
    """Tensors by name from a file of timm's: safetensors, or a state dict that torch saved.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    _check_file(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # comes with timm

            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make torch and safetensors raise almost anything
        raise _unreadable(path, "a state dict", error) from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{path}: holds no state dict, which is a mapping from names to tensors")
    return content


def read_detector(path: Path) -> Tensors:
    """Tensors by name, in single precision, from a checkpoint of YOLO11 or of this project.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    model = _read_checkpoint(path)
    expected = [row[2] for row in _tail_rows()]
    found = [type(layer).__name__ for layer in model.model[-len(expected) :]]
    if found != [name.removeprefix("nn.") for name in expected]:
        raise WeightsError(
            f"{path}: is no YOLO11 detector: its last layers are {', '.join(found)} in place of {', '.join(expected)}"
        )
    return dict(model.state_dict())


def read_teacher(path: Path) -> dict[str, DetectionModel]:
    """The model in a checkpoint of any Ultralytics detector with maps at three strides, as a checkpoint of its own.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    model = _read_checkpoint(path)
    maps = len(model.model[-1].f)
    if maps != len(MobileNetV1.strides) - 1:
        raise WeightsError(f"{path}: detects on {maps} maps, but a teacher has to on as many as its pupil, 3")
    return {"model": model}


_READERS: Mapping[Role, Callable[[Path], object]] = {
    "backbone": read_backbone,
    "detector": read_detector,
    "teacher": read_teacher,
}


@dataclass(frozen=True)
class Offer:
    """The weights that both arms may start from, by role; those that params.yaml names no file for are left out."""

    sources: Mapping[Role, WeightsSource]
    tensors: Mapping[Role, Tensors]

    @classmethod
    def read(cls) -> Offer:
        """Read what `fetch` kept."""
        roles: tuple[Role, Role] = ("detector", "backbone")
        sources = {role: WeightsSource.read(FetchedWeights(role).source) for role in roles}
        given = {role: source for role, source in sources.items() if source.digest}
        return cls(given, {role: torch.load(FetchedWeights(role).weights, weights_only=True) for role in given})


def start(backbone: str, architecture: ModelDict, offer: Offer) -> tuple[StartRecord, Tensors]:
    """What an arm takes of the offer, and how much of its state that is.

    A detector's neck and head (SPPF and C2PSA counted with them) are its last layers in every arm, so they are matched
    from the end; its backbone only by an arm with the same number of layers. Tensors of another shape are left out:
    those of the classes, where their number differs. MobileNetV1 takes its backbone from the backbone's weights.

    Args:
        backbone: its name, for the record.
        architecture: model dictionary of the arm.
        offer: what there is.

    Returns:
        The record, and the tensors by name in the arm.

    Raises:
        WeightsError: nothing of a detector fits, or the backbone is one of another width.
    """
    model = bridge.build_model(architecture)
    state = model.state_dict()
    taken: dict[str, tuple[Role, Tensor]] = {}
    if "detector" in offer.tensors:
        moved = _renumbered(offer.tensors["detector"], len(model.model))
        fits = {name: tensor for name, tensor in moved.items() if name in state and state[name].shape == tensor.shape}
        if not fits:
            raise WeightsError(f"init.detector: nothing of {offer.sources['detector'].name} fits this model")
        taken |= {name: ("detector", tensor) for name, tensor in fits.items()}
    if "backbone" in offer.tensors and architecture["backbone"][0][2] == MobileNetV1.__name__:
        tensors = from_timm(offer.tensors["backbone"], model.model[0])
        taken |= {f"model.0.{name}": ("backbone", tensor) for name, tensor in tensors.items()}
    used = {role for role, _ in taken.values()}
    record = StartRecord(
        backbone=backbone,
        sources={role: source for role, source in offer.sources.items() if role in used},
        tensors=len(taken),
        of_tensors=len(state),
        values=sum(tensor.numel() for _, tensor in taken.values()),
        of_values=sum(tensor.numel() for tensor in state.values()),
        offered={str(role): source for role, source in offer.sources.items()},
        random=tuple(name for name in state if name not in taken),
    )
    return record, {name: taken[name][1].clone() for name in state if name in taken}


def _read_checkpoint(path: Path) -> DetectionModel:
    """The detection model in an Ultralytics checkpoint, in single precision; nothing but its own classes is built."""
    _check_file(path)
    try:
        checkpoint, _ = tasks.torch_safe_load(path, safe_only=True)
        model = checkpoint.get("ema") or checkpoint["model"]
    except Exception as error:  # damaged bytes and foreign classes make torch and Ultralytics raise almost anything
        raise _unreadable(path, "an Ultralytics checkpoint", error) from error
    if not isinstance(model, DetectionModel) or type(model.model[-1]) is not Detect:
        raise WeightsError(f"{path}: holds no detection model but a {type(model).__name__}")
    return model.float()


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    if not path.stat().st_size:
        raise WeightsError(f"{path}: the file is empty")


def _unreadable(path: Path, wanted: str, error: Exception) -> WeightsError:
    reason = str(error).strip().partition("\n")[0]
    return WeightsError(f"{path}: can't be read as {wanted}: it is damaged or of another kind ({reason})")


def _tail_rows() -> list[Row]:
    """Rows of YOLO11's neck and head, which end every arm."""
    stock = bridge.stock_architecture()
    rows: list[Row] = [*stock["backbone"][STOCK_BACKBONE_ROWS:], *stock["head"]]
    return rows


def _renumbered(tensors: Tensors, layers: int) -> Tensors:
    """A detector's tensors by the names that they have in a model of so many layers."""
    source_layers = 1 + max(_layer(name) for name in tensors)
    tail, shift = len(_tail_rows()), layers - source_layers
    return {
        name.replace(f".{layer}.", f".{layer + shift}.", 1): tensor
        for name, tensor in tensors.items()
        if (layer := _layer(name)) >= source_layers - tail or not shift
    }


def _layer(name: str) -> int:
    """Number of the layer that a tensor belongs to: 9 of model.9.cv1.conv.weight."""
    return int(name.split(".")[1])
