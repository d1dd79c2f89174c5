from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.costs.profile import profile
from mobileyolo.deployment.engines import load
from mobileyolo.deployment.exporting import export
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict, model_dict
from mobileyolo.models.checkpoints import read_checkpoint
from mobileyolo.models.mobilenet_v1 import MobileNetV1, Padding


class Classifier(nn.Module):
    """The paper's network: average pooling and 1000 classes on top."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.backbone = MobileNetV1(width)
        self.head = nn.Linear(self.backbone.channels[-1], 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.backbone(x)[-1].mean((2, 3)))
        return logits


def mult_adds(width: float, imgsz: int) -> float:
    """Millions of multiply-adds of one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        Classifier(width).eval()(torch.zeros(1, 3, imgsz, imgsz))
    return float(counter.get_total_flops()) / 2 / 1e6


def test_it_has_the_papers_parameters() -> None:
    # arXiv 1704.04861 says 4.2 million (table 8); layer by layer from its table 1 it is this number.
    assert sum(parameter.numel() for parameter in Classifier(1.0).parameters()) == 4_231_976


@pytest.mark.parametrize(
    ("width", "imgsz", "millions"),
    [
        # arXiv 1704.04861, table 6 (width multiplier) and table 7 (resolution).
        (1.0, 224, 569),
        (0.75, 224, 325),
        (0.5, 224, 149),
        (0.25, 224, 41),
        (1.0, 192, 418),
        (1.0, 160, 290),
        (1.0, 128, 186),
    ],
)
def test_it_has_the_papers_multiply_adds(width: float, imgsz: int, millions: int) -> None:
    assert mult_adds(width, imgsz) == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("padding", ["symmetric", "same"])
@pytest.mark.parametrize("width", [0.1, 0.25, 0.5, 0.75, 1.0, 1.3, 2.0])
def test_its_maps_are_what_it_declares(width: float, padding: Padding) -> None:
    network = MobileNetV1(width, padding).eval()
    with torch.inference_mode():
        maps = network(torch.zeros(2, 3, 96, 64))
    expected = [(2, c, 96 // s, 64 // s) for c, s in zip(network.channels, network.strides, strict=True)]
    assert [tuple(each.shape) for each in maps] == expected


def test_every_parameter_learns_and_nothing_is_nan() -> None:
    network = MobileNetV1(0.25)
    maps = network(torch.rand(2, 3, 64, 64))
    sum(each.square().mean() for each in maps).backward()
    assert all(each.isfinite().all() for each in maps)
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert idle == []


@pytest.mark.parametrize("width", [0, -1, 2.01])
def test_a_width_out_of_range_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="width multiplier"):
        MobileNetV1(width)


def test_an_unknown_padding_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="padding 'valid' is not one of symmetric, same"):
        MobileNetV1(0.25, "valid")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def paddings() -> dict[str, DetectionModel]:
    """One model with either padding, whose norms fit its weights, so that its outputs depend on the image."""
    torch.manual_seed(0)
    models = {padding: bridge.build_model(architecture(padding)) for padding in get_args(Padding)}
    for module in models["same"].modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        models["same"].train()(torch.rand(4, 3, 128, 128))  # sets mean and variance to this batch's
    models["symmetric"].load_state_dict(models["same"].state_dict())
    return {padding: model.eval() for padding, model in models.items()}


def architecture(padding: Padding) -> ModelDict:
    architecture = model_dict("mnv1_n", 3, bridge.stock_architecture())
    architecture["backbone"][0][3] = [0.25, padding]
    return architecture


def output(model: nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        boxes: torch.Tensor = model(image)[0]
    return boxes


def test_a_row_of_a_model_dictionary_chooses_the_padding(paddings: dict[str, DetectionModel]) -> None:
    pads = [module.padding for module in paddings["same"].modules() if isinstance(module, nn.ZeroPad2d)]
    assert pads == [(0, 1, 0, 1)] * 5  # of the stem, and of four depthwise convolutions
    assert not any(isinstance(module, nn.ZeroPad2d) for module in paddings["symmetric"].modules())
    image = torch.rand(1, 3, 96, 96)
    assert (output(paddings["same"], image) - output(paddings["symmetric"], image)).abs().max() > 10  # pixels


def test_the_padding_changes_no_tensors_name_and_no_cost(paddings: dict[str, DetectionModel]) -> None:
    shapes = [{name: each.shape for name, each in model.state_dict().items()} for model in paddings.values()]
    assert shapes[0] == shapes[1]
    assert len({profile("mnv1_n", architecture(padding), 64).gflops for padding in get_args(Padding)}) == 1


def test_padded_like_tensorflow_a_model_is_fused_saved_and_exported_as_any(
    paddings: dict[str, DetectionModel], tmp_path: Path
) -> None:
    model, image = paddings["same"], torch.rand(1, 3, 96, 96)
    expected = output(model, image)
    torch.save({"model": model}, tmp_path / "best.pt")
    read = read_checkpoint(tmp_path / "best.pt")["model"]  # which builds Ultralytics' and torch's own classes only
    assert torch.equal(output(read, image), expected)
    fused = read.fuse(verbose=False)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert (output(fused, image) - expected).abs().max() < 0.5  # pixels; 0.06 was measured
    for name in ("onnx", "torchscript"):
        exported = load(name, export(model, name, tmp_path / name, imgsz=96), threads=1)(image.numpy())
        assert np.abs(exported - expected.numpy()).max() < 0.5
