"""What every backbone costs, and what depthwise separable layers save: the record that the stage cost leaves.

Every count is an exact integer, so that sums and shares are those of the real modules.
"""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.files import Record

COST_FILE = Path("reports/cost.json")  # by the stage cost


class Parts(Record):
    """One quantity of a model by its parts, which together are the whole model."""

    backbone: int  # the layers in which the arms differ
    neck: int  # SPPF and everything behind it up to Detect
    head: int  # Detect

    @property
    def total(self) -> int:
        """Of the whole model."""
        return self.backbone + self.neck + self.head

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of backbone, neck and head in the total, each in [0, 1]."""
        return self.backbone / self.total, self.neck / self.total, self.head / self.total


class ModelCost(Record):
    """One model, fused for inference."""

    name: str
    width: float | None  # MobileNetV1's width multiplier alpha
    parameters: Parts
    flops: tuple[Parts, ...]  # 2 x multiply-adds of one image, for each of the sheet's imgsz

    @property
    def gflops(self) -> float:
        """Of the whole model at resolution multiplier 1."""
        return self.flops[0].total / 1e9


class SeparableLayer(Record):
    """A depthwise separable layer against the standard convolution that it stands for, in multiply-adds.

    What is measured is what the real modules compute; `formula` is arXiv 1704.04861, section 3.1.
    """

    inputs: int  # channels M
    outputs: int  # channels N
    kernel: int  # side D_K
    stride: int
    size: int  # side D_F of the output map
    repeats: int  # how many such layers the network has, one after the other
    separable: int  # measured, one layer
    standard: int  # measured, one layer

    @property
    def formula(self) -> tuple[int, int]:
        """Separable and standard: D_K^2 M D_F^2 + M N D_F^2, and D_K^2 M N D_F^2."""
        area, window = self.size**2, self.kernel**2
        depthwise, pointwise = window * self.inputs * area, self.inputs * self.outputs * area
        return depthwise + pointwise, window * pointwise


class Saving(Record):
    """What the depthwise separable layers of MobileNetV1 save at one width."""

    width: float
    stem: int  # multiply-adds of the first convolution, which is a standard one either way
    layers: tuple[SeparableLayer, ...]  # each distinct one, in order

    @property
    def separable(self) -> int:
        """Multiply-adds of the network as it is, measured."""
        return self.stem + sum(layer.separable * layer.repeats for layer in self.layers)

    @property
    def standard(self) -> int:
        """Multiply-adds of the network with standard convolutions, measured."""
        return self.stem + sum(layer.standard * layer.repeats for layer in self.layers)

    @property
    def measured(self) -> float:
        """The network's multiply-adds over those with standard convolutions."""
        return self.separable / self.standard

    @property
    def formula(self) -> float:
        """The same by the paper's formula."""
        separable = self.stem + sum(layer.formula[0] * layer.repeats for layer in self.layers)
        return separable / (self.stem + sum(layer.formula[1] * layer.repeats for layer in self.layers))


class CostSheet(Record):
    """What every backbone costs: reports/cost.json."""

    classes: int
    imgsz: tuple[int, ...]  # pixels; the first is resolution multiplier beta 1
    models: tuple[ModelCost, ...]  # MobileNetV1 by width, stock backbones under the same neck, stock as shipped
    savings: tuple[Saving, ...]  # by width, at the first imgsz
