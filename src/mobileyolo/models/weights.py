"""Pretrained weights: read without executing code from the file, and assigned to the tensors of an arm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Detect
from ultralytics.nn.tasks import ClassificationModel, DetectionModel

from mobileyolo.core.backbones import MobileNet, name_of, spec_of
from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import FetchedWeights, Role, replacing
from mobileyolo.core.records import Fetched, OfferRecord, StartRecord, WeightsSource
from mobileyolo.models import bridge
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, ModelDict, Row
from mobileyolo.models.checkpoints import read_checkpoint, read_tensors, state_dict
from mobileyolo.models.families import backbone_of, told
from mobileyolo.models.imagenet import convert
from mobileyolo.models.keras import is_keras, read_keras
from mobileyolo.models.mobilenet_v1 import MobileNetV1
from mobileyolo.models.parameters import files_in, imagenet_advice

Tensors = dict[str, Tensor]


def fetch(role: Role, path: Path, folder: Path) -> Fetched:
    """Read pretrained weights and write copies that hold only them: tensors by name, or a teacher's checkpoint.

    Args:
        role: what they are used for.
        path: the file; for a backbone it may be a folder, of which each file is read.
        folder: for the copies.

    Raises:
        WeightsError: a file is missing, damaged, or holds something else.
    """
    files = [path] if role != "backbone" or not path.is_dir() else files_in(path)
    sources = []
    for number, file in enumerate(files):
        save(_READERS[role](file), folder / FetchedWeights(role).weights(number).name)
        sources.append(WeightsSource(name=file.name, digest=hashlib.sha256(file.read_bytes()).hexdigest()))
    return Fetched(name=path.name, files=tuple(sources))


def save(content: object, path: Path) -> None:
    """Save with torch, completely or not at all; the same content gives the same bytes on every machine."""
    # An open file instead of a path: torch would write the path's name into the file.
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def read_backbone(path: Path) -> Tensors:
    """Tensors by name from a file of MobileNetV1 or of YOLO11's backbone.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    tensors = _read_backbone(path)
    if backbone_of(tensors, bridge.stock_architecture()) is None:
        raise WeightsError(f"{path}: holds neither a MobileNetV1 nor YOLO11's backbone")
    return tensors


def _read_backbone(path: Path) -> Tensors:
    """Tensors by name from a file of Keras (HDF5), of timm (safetensors or state dict) or from a YOLO11 classifier."""
    if is_keras(path):
        with bridge.reading(path, "MobileNetV1 of Keras"):
            return read_keras(path)
    if path.suffix != ".safetensors":
        return _backbone_saved_by_torch(path)
    with bridge.reading(path, "a state dict"):
        from safetensors.torch import load_file  # comes with timm

        # In the mapped file an empty tensor lies upon the next one, which torch would refuse to save.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}


def _backbone_saved_by_torch(path: Path) -> Tensors:
    bridge.prepare()
    with bridge.reading(path, "a state dict or a classifier of Ultralytics"):
        content = read_checkpoint(path)
        if not content.keys() & {"model", "ema"}:
            return state_dict(content)
        model = bridge.model_in(content)
    if not isinstance(model, ClassificationModel):
        raise WeightsError(f"{path}: holds a {type(model).__name__}, not a classifier, whose backbone could be taken")
    with bridge.reading(path, "a classifier of Ultralytics"):
        state = _for_norms_of(bridge.norm_eps(), model.float())
        return {name: tensor for name, tensor in state.items() if _layer(name) < STOCK_BACKBONE_ROWS}


def _for_norms_of(eps: float, model: nn.Module) -> Tensors:
    """The state dictionary with which a model computes the same where its batch norms have another epsilon."""
    state = dict(model.state_dict())
    for name, norm in model.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            weight, variance = (state[f"{name}.{each}"].double() for each in ("weight", "running_var"))
            state[f"{name}.weight"] = (weight * ((variance + eps) / (variance + norm.eps)).sqrt()).float()
    return state


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
class Pretrained:
    """The tensors of a file, by name."""

    source: WeightsSource
    tensors: Tensors


@dataclass(frozen=True)
class Offer:
    """The pretrained weights that both arms can take."""

    detector: Pretrained | None = None
    backbones: tuple[Pretrained, ...] = ()

    @classmethod
    def read(cls) -> Offer:
        """Read the copies that the stage fetch wrote."""
        return cls(next(iter(_read_fetched("detector")), None), _read_fetched("backbone"))

    def record(self) -> OfferRecord:
        """The files."""
        detectors = () if self.detector is None else (self.detector,)
        files = {"detector": detectors, "backbone": self.backbones}
        return OfferRecord(files={role: tuple(each.source for each in given) for role, given in files.items() if given})

    def backbone_for(self, backbone: str) -> Pretrained | None:
        """The weights of an arm's own backbone; None if there are none of its family, MobileNetV1 or YOLO11.

        Raises:
            WeightsError: all of its family are for another width or scale, or several fit.
        """
        spec, stock = spec_of(backbone), bridge.stock_architecture()
        specs = [(each, backbone_of(each.tensors, stock)) for each in self.backbones]
        fitting = [each for each, theirs in specs if theirs == told(spec)]
        if len(fitting) > 1:
            names = " and ".join(each.source.name for each in fitting)
            raise WeightsError(
                f"init.backbone: {names} fit {backbone} alike; name one of them, or a folder with one file for each arm"
            )
        if not fitting and any(type(theirs) is type(spec) for _, theirs in specs):
            there = ", ".join(f"{each.source.name} is for {name_of(theirs)}" for each, theirs in specs if theirs)
            raise WeightsError(f"init.backbone: nothing there is for {backbone}: {there}; {imagenet_advice(backbone)}")
        return fitting[0] if fitting else None


def _read_fetched(role: Role) -> tuple[Pretrained, ...]:
    fetched = FetchedWeights(role)
    sources = Fetched.read(fetched.record).files
    return tuple(Pretrained(source, read_saved(fetched.weights(n))) for n, source in enumerate(sources))


def start(backbone: str, architecture: ModelDict, offer: Offer) -> tuple[StartRecord, Tensors]:
    """The pretrained tensors that an arm starts from, and how much of the arm they are.

    Neck and head (the neck includes SPPF and C2PSA) are the last layers of every arm, so a detector's tensors are
    matched from the last layer backwards. A detector's backbone is used only if the arm has as many layers. Tensors of
    another shape are left out, such as those for the classes if the number of classes differs. An arm's backbone is
    taken from the offered weights of that backbone, if there are any, even if the detector has it too.

    Args:
        backbone: the arm's backbone, for the record.
        architecture: model dictionary of the arm.
        offer: the pretrained weights.

    Returns:
        The record, and the tensors by name in the arm.

    Raises:
        WeightsError: no tensor of the detector fits, the weights of backbones are for another width or scale, or two of
            them fit.
    """
    model = bridge.build_model(architecture)
    state = model.state_dict()
    taken: dict[str, tuple[Role, Tensor]] = {}
    sources: dict[str, WeightsSource] = {}
    if offer.detector is not None:
        moved = _renumbered(offer.detector.tensors, len(model.model))
        fits = {name: tensor for name, tensor in moved.items() if name in state and state[name].shape == tensor.shape}
        if not fits:
            raise WeightsError(f"init.detector: no tensor of {offer.detector.source.name} fits this model")
        taken |= {name: ("detector", tensor) for name, tensor in fits.items()}
        sources["detector"] = offer.detector.source
    if (own := offer.backbone_for(backbone)) is not None:
        taken |= {name: ("backbone", tensor) for name, tensor in _backbone_tensors(own, backbone, model).items()}
        sources["backbone"] = own.source
    used = {role for role, _ in taken.values()}
    record = StartRecord(
        backbone=backbone,
        sources={role: source for role, source in sources.items() if role in used},
        tensors=len(taken),
        of_tensors=len(state),
        values=sum(tensor.numel() for _, tensor in taken.values()),
        of_values=sum(tensor.numel() for tensor in state.values()),
        random=tuple(name for name in state if name not in taken),
    )
    return record, {name: taken[name][1].clone() for name in state if name in taken}


def _backbone_tensors(given: Pretrained, backbone: str, model: DetectionModel) -> Tensors:
    """The tensors of a file by their names in an arm's model, whose whole backbone they are."""
    if isinstance(spec_of(backbone), MobileNet):
        try:
            return {f"model.0.{name}": tensor for name, tensor in convert(given.tensors, model.model[0]).items()}
        except WeightsError as error:
            raise WeightsError(f"init.backbone: {given.source.name}: {error}") from None
    shapes = {name: each.shape for name, each in model.state_dict().items() if _layer(name) < STOCK_BACKBONE_ROWS}
    if shapes != {name: tensor.shape for name, tensor in given.tensors.items()}:
        raise WeightsError(f"init.backbone: {given.source.name}: its tensors are not those of YOLO11's backbone")
    return given.tensors


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


def _layer(name: str) -> int:
    """Number of the layer that a tensor belongs to: 9 of model.9.cv1.conv.weight."""
    return int(name.split(".")[1])
