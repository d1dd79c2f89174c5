"""The cost of every backbone, and what depthwise separable layers save: the record that the stage cost writes.

Every count is an exact integer, so that sums and shares are those of the real modules.
"""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.files import Record

COST_FILE = Path("reports/cost.json")  # by the stage cost


class Parts(Record):
    """A count for each part of a model; the parts add up to the whole model."""

    backbone: int  # the layers in which the arms differ
    neck: int  # from SPPF to the last layer before Detect
    head: int  # Detect

    @property
    def total(self) -> int:
        """Count of the whole model."""
        return self.backbone + self.neck + self.head

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of backbone, neck and head in the total, each in [0, 1]."""
        return self.backbone / self.total, self.neck / self.total, self.head / self.total


class ModelCost(Record):
    """One model, fused for inference."""

    name: str
    width: float | None  # MobileNetV1's width multiplier alpha
    parameters: Parts
    flops: tuple[Parts, ...]  # 2 x multiply-adds of one image, for each of the sheet's imgsz

    @property
    def gflops(self) -> float:
        """GFLOPs of the whole model at resolution multiplier 1."""
        return self.flops[0].total / 1e9


class SeparableLayer(Record):
    """A depthwise separable layer and the standard convolution that it replaces, in multiply-adds.

    Measured counts are those of the real modules; `formula` is from arXiv 1704.04861, section 3.1.
    """

    inputs: int  # channels M
    outputs: int  # channels N
    kernel: int  # side D_K
    stride: int
    size: int  # side D_F of the output map
    repeats: int  # number of equal layers in a row
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
    stem: int  # multiply-adds of the first convolution, a standard one in both networks
    layers: tuple[SeparableLayer, ...]  # in order; equal layers in a row are one entry

    @property
    def separable(self) -> int:
        """Measured multiply-adds of MobileNetV1."""
        return self.stem + sum(layer.separable * layer.repeats for layer in self.layers)

    @property
    def standard(self) -> int:
        """Measured multiply-adds of the same network with standard convolutions."""
        return self.stem + sum(layer.standard * layer.repeats for layer in self.layers)

    @property
    def measured(self) -> float:
        """Ratio separable / standard, measured."""
        return self.separable / self.standard

    @property
    def formula(self) -> float:
        """Ratio separable / standard, by the paper's formula."""
        separable = self.stem + sum(layer.formula[0] * layer.repeats for layer in self.layers)
        return separable / (self.stem + sum(layer.formula[1] * layer.repeats for layer in self.layers))


class CostSheet(Record):
    """The cost of every backbone: reports/cost.json."""

    classes: int
    imgsz: tuple[int, ...]  # pixels; the first is resolution multiplier beta 1
    models: tuple[ModelCost, ...]  # MobileNetV1 by width, then stock backbones
    savings: tuple[Saving, ...]  # by width, at the first imgsz
