"""Pretrained weights: read without executing code from the file, and assigned to the tensors of an arm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from ultralytics.nn.modules import Detect
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import FetchedWeights, Role, replacing
from mobileyolo.core.records import StartRecord, WeightsSource
from mobileyolo.models import bridge
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, ModelDict, Row
from mobileyolo.models.checkpoints import read_tensors
from mobileyolo.models.imagenet import convert
from mobileyolo.models.keras import is_keras, read_keras
from mobileyolo.models.mobilenet_v1 import MobileNetV1

Tensors = dict[str, Tensor]


def fetch(role: Role, path: Path, copy: Path) -> WeightsSource:
    """Read pretrained weights and write a copy that holds only them.

    Args:
        role: what they are used for.
        path: the file.
        copy: path for the copy: tensors by name, or a teacher's checkpoint.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    save(_READERS[role](path), copy)
    return WeightsSource(name=path.name, digest=hashlib.sha256(path.read_bytes()).hexdigest())


def save(content: object, path: Path) -> None:
    """Save with torch, completely or not at all; the same content gives the same bytes on every machine."""
    # An open file instead of a path: torch would write the path's name into the file.
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def read_backbone(path: Path) -> Tensors:
    """Tensors by name from a file of Keras (HDF5), or of timm: safetensors, or a state dict saved by torch.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    if is_keras(path):
        with bridge.reading(path, "MobileNetV1 of Keras"):
            return read_keras(path)
    if path.suffix != ".safetensors":
        return read_saved(path)
    with bridge.reading(path, "a state dict"):
        from safetensors.torch import load_file  # comes with timm

        # In the mapped file an empty tensor lies upon the next one, which torch would refuse to save.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}


def read_saved(path: Path) -> Tensors:
    """Tensors by name from a state dict that torch saved.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    with bridge.reading(path, "a state dict"):
        return read_tensors(path)


def read_detector(path: Path) -> Tensors:
    """Tensors by name, in single precision, from a checkpoint of YOLO11 or of this project.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    with bridge.reading(path, "a YOLO11 detector"):
        model = _read_detector(path)
        expected = [row[2] for row in _tail_rows()]
        found = [type(layer).__name__ for layer in model.model[-len(expected) :]]
        if found != [name.removeprefix("nn.") for name in expected]:
            raise WeightsError(
                f"{path}: is not a YOLO11 detector: its last layers are {', '.join(found)}, not {', '.join(expected)}"
            )
        return dict(model.state_dict())


def read_teacher(path: Path) -> dict[str, DetectionModel]:
    """A checkpoint with only the model of an Ultralytics detector; the detector must use feature maps of three strides.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    with bridge.reading(path, "a detector"):
        model = _read_detector(path)
        maps = len(model.model[-1].f)
        if maps != len(MobileNetV1.strides) - 1:
            raise WeightsError(f"{path}: detects on {maps} feature maps; a teacher needs 3, like the model it teaches")
        return {"model": model}


_READERS: Mapping[Role, Callable[[Path], object]] = {
    "backbone": read_backbone,
    "detector": read_detector,
    "teacher": read_teacher,
}


@dataclass(frozen=True)
class Offer:
    """The pretrained weights that both arms can take, by role; a role without a file in params.yaml is left out."""

    sources: Mapping[Role, WeightsSource]
    tensors: Mapping[Role, Tensors]

    @classmethod
    def read(cls) -> Offer:
        """Read the copies that the stage fetch wrote."""
        roles: tuple[Role, Role] = ("detector", "backbone")
        sources = {role: WeightsSource.read(FetchedWeights(role).source) for role in roles}
        given = {role: source for role, source in sources.items() if source.digest}
        return cls(given, {role: read_saved(FetchedWeights(role).weights) for role in given})


def start(backbone: str, architecture: ModelDict, offer: Offer) -> tuple[StartRecord, Tensors]:
    """The pretrained tensors that an arm starts from, and how much of the arm they are.

    Neck and head (the neck includes SPPF and C2PSA) are the last layers of every arm, so a detector's tensors are
    matched from the last layer backwards. A detector's backbone is used only if the arm has as many layers. Tensors of
    another shape are left out, such as those for the classes if the number of classes differs. MobileNetV1 takes its
    backbone from the weights for the role `backbone`.

    Args:
        backbone: the arm's backbone, for the record.
        architecture: model dictionary of the arm.
        offer: the pretrained weights.

    Returns:
        The record, and the tensors by name in the arm.

    Raises:
        WeightsError: no tensor of the detector fits, or the backbone's weights are for another width.
    """
    model = bridge.build_model(architecture)
    state = model.state_dict()
    taken: dict[str, tuple[Role, Tensor]] = {}
    if "detector" in offer.tensors:
        moved = _renumbered(offer.tensors["detector"], len(model.model))
        fits = {name: tensor for name, tensor in moved.items() if name in state and state[name].shape == tensor.shape}
        if not fits:
            raise WeightsError(f"init.detector: no tensor of {offer.sources['detector'].name} fits this model")
        taken |= {name: ("detector", tensor) for name, tensor in fits.items()}
    if "backbone" in offer.tensors and architecture["backbone"][0][2] == MobileNetV1.__name__:
        tensors = convert(offer.tensors["backbone"], model.model[0])
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


def _read_detector(path: Path) -> DetectionModel:
    """The model in a checkpoint of a detector with Ultralytics' head, in single precision; `reading` surrounds it."""
    model = bridge.load_model(path)
    if type(model.model[-1]) is not Detect:
        raise WeightsError(f"{path}: ends in {type(model.model[-1]).__name__}, not in Detect")
    return model


def _tail_rows() -> list[Row]:
    """Rows of YOLO11's neck and head, the last ones of every arm."""
    stock = bridge.stock_architecture()
    rows: list[Row] = [*stock["backbone"][STOCK_BACKBONE_ROWS:], *stock["head"]]
    return rows


def _renumbered(tensors: Tensors, layers: int) -> Tensors:
    """A detector's tensors by their names in a model with this number of layers; those of no layer are left out."""
    layer_of = {name: int(found[1]) for name in tensors if (found := re.match(r"model\.(\d+)\.", name))}
    source_layers = 1 + max(layer_of.values(), default=0)
    tail, shift = len(_tail_rows()), layers - source_layers
    return {
        name.replace(f".{layer}.", f".{layer + shift}.", 1): tensors[name]
        for name, layer in layer_of.items()
        if layer >= source_layers - tail or not shift
    }
