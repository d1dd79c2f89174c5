from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mobileyolo.models.mobilenet_v1 import MobileNetV1


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


@pytest.mark.parametrize("width", [0.1, 0.25, 0.5, 0.75, 1.0, 1.3, 2.0])
def test_its_maps_are_what_it_declares(width: float) -> None:
    network = MobileNetV1(width).eval()
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
