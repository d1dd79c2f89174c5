"""The cost of every backbone, counted on the real modules, for each part of the model.

The operations of convolutions and matrix products are counted, 2 for a multiply-add. Ultralytics' get_flops (8.4)
counts the same, so the parts add up exactly to the total of `profile.profile` (tested).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.nn.modules import SPPF, Conv
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core.backbones import BACKBONES, MobileNet, name_of, width_of
from mobileyolo.core.cost_sheet import CostSheet, ModelCost, Parts, Saving, SeparableLayer
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.mobilenet_v1 import MobileNetV1

# arXiv 1704.04861: width multipliers of table 6, input sides of table 7.
PAPER_WIDTHS = (0.25, 0.5, 0.75, 1.0)
PAPER_SIDES = (224, 192, 160, 128)  # pixels; the first is resolution multiplier beta 1
STEP = 32  # pixels; YOLO11's largest stride


def measure(classes: int, imgsz: int, arms: Iterable[str] = ()) -> CostSheet:
    """Cost of every backbone by width and resolution, and what separable layers save.

    Args:
        classes: number of classes.
        imgsz: side of the square input in pixels at resolution multiplier 1; a multiple of 32.
        arms: backbones that are on the sheet beside those that always are.
    """
    stock = bridge.stock_architecture()
    sides = resolutions(imgsz)
    return CostSheet(
        classes=classes,
        imgsz=sides,
        models=tuple(
            _cost(name, bridge.build_model(model_dict(name, classes, stock)), sides) for name in _backbones(arms)
        ),
        savings=tuple(measure_saving(width, imgsz) for width in PAPER_WIDTHS),
    )


def resolutions(imgsz: int) -> tuple[int, ...]:
    """A side times each of the paper's resolution multipliers, rounded to multiples of 32; the largest first."""
    sides = {max(1, round(imgsz * side / PAPER_SIDES[0] / STEP)) * STEP for side in PAPER_SIDES}
    return tuple(sorted(sides, reverse=True))


def measure_saving(width: float, imgsz: int) -> Saving:
    """Multiply-adds of MobileNetV1's separable layers, and of standard convolutions with the same input and output.

    Args:
        width: the paper's width multiplier alpha.
        imgsz: side of the square input in pixels; a multiple of 32.
    """
    with torch.device("meta"):  # tensors with shapes but without values, so that nothing is computed
        network = MobileNetV1(width).eval()
    blocks: list[Any] = [block for group in network.m.children() for block in group.children()]
    x = torch.empty(1, 3, imgsz, imgsz, device="meta")
    stem, x = _multiply_adds(blocks[0], x)
    layers = []
    for block in blocks[1:]:
        depthwise, pointwise = block[0].conv, block[1].conv
        kernel, stride = depthwise.kernel_size[0], depthwise.stride[0]
        with torch.device("meta"):
            replaced = Conv(depthwise.in_channels, pointwise.out_channels, k=kernel, s=stride).eval()
        standard, _ = _multiply_adds(replaced, x)
        separable, x = _multiply_adds(block, x)
        layer = SeparableLayer(
            inputs=depthwise.in_channels,
            outputs=pointwise.out_channels,
            kernel=kernel,
            stride=stride,
            size=x.shape[-1],
            repeats=1,
            separable=separable,
            standard=standard,
        )
        layers.append(layer)
    runs = [list(run) for _, run in groupby(layers)]
    distinct = tuple(run[0].model_copy(update={"repeats": len(run)}) for run in runs)
    return Saving(width=width, stem=stem, layers=distinct)


def _backbones(arms: Iterable[str]) -> list[str]:
    """Names on the sheet: MobileNetV1 by increasing width, then stock backbones."""
    names = {*BACKBONES, *(name_of(MobileNet(width)) for width in PAPER_WIDTHS), *arms}
    mobile = sorted((name for name in names if width_of(name) is not None), key=lambda name: width_of(name) or 0)
    return mobile + [name for name in BACKBONES if width_of(name) is None]


def _cost(name: str, model: DetectionModel, sides: tuple[int, ...]) -> ModelCost:
    layers = model.fuse(verbose=False).eval().model
    neck = first_of_neck(model)
    parameters = [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers]
    return ModelCost(
        name=name,
        width=width_of(name),
        parameters=_by_part(parameters, neck),
        flops=tuple(_by_part(counts, neck) for counts in _flops_by_layer(model, sides)),
    )


def first_of_neck(model: DetectionModel) -> int:
    """Index of the neck's first layer: of every model here that is its SPPF."""
    return next(index for index, layer in enumerate(model.model) if isinstance(layer, SPPF))


def _flops_by_layer(model: DetectionModel, sides: tuple[int, ...]) -> Iterator[list[int]]:
    """Floating point operations of each layer, for one square image of each side.

    The count of a convolution grows with the image's area and that of attention with the square of the area; nothing is
    constant. So the counts for images of one and of two cells, of STEP x STEP pixels each, give the exact count for any
    number of cells (tested on a large image).
    """
    counts = list(zip(*(_count(model, cells) for cells in (1, 2)), strict=True))
    for side in sides:
        cells = (side // STEP) ** 2
        yield [cells * one + math.comb(cells, 2) * (two - 2 * one) for one, two in counts]


def _count(model: DetectionModel, cells: int) -> list[int]:
    """Floating point operations of each layer, for an image of this number of cells in a row."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, STEP, STEP * cells))
    by_module = counter.get_flop_counts()
    names = [f"{type(model).__name__}.model.{index}" for index in range(len(model.model))]
    return [sum(by_module.get(name, {}).values()) for name in names]


def _multiply_adds(module: nn.Module, x: torch.Tensor) -> tuple[int, torch.Tensor]:
    """Multiply-adds of a module's convolutions on this input, and its output."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output: torch.Tensor = module(x)
    return counter.get_total_flops() // 2, output


def _by_part(counts: list[int], neck: int) -> Parts:
    """Add up the layers of each part.

    Args:
        counts: by layer.
        neck: index of the neck's first layer.
    """
    return Parts(backbone=sum(counts[:neck]), neck=sum(counts[neck:-1]), head=counts[-1])
