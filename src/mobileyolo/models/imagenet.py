"""ImageNet weights for MobileNetV1: timm's (`mobilenetv1_100`, `mobilenetv1_125`) in this network's terms. No files.

The same function of an image in evaluation mode, up to the border: timm feeds (x - 0.5) / 0.5, Ultralytics x in
[0, 1], so that is folded into the stem; and timm's batch norms add another epsilon to the variance than those of a
model that Ultralytics has built, which is folded into their weights. What can't be folded is the stem's zero padding,
which surrounds the image with mid-grey in timm and with black here. In an untrained network at 640 px that moves the
maps by 1, 2, 8 and 13 % of their mean value (mean of the absolute difference; strides 4 to 32), at the top and left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from mobileyolo.core.errors import WeightsError
from mobileyolo.models.architecture import MOBILENET_TAP_CHANNELS, mobilenet_channels
from mobileyolo.models.mobilenet_v1 import LAYERS_BY_MAP, STEM_CHANNELS

# timm's default_cfgs of the mobilenetv1 models: one mean and deviation for all three channels (RGB here and there).
MEAN = 0.5
STD = 0.5
TIMM_EPS = 1e-5

_STEM = ("conv_stem", "bn1", "m.0.0")  # convolution and norm in timm, the Conv that holds both here
_LAST = "blocks.4.1.conv_pw.weight"


def from_timm(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state dictionary that makes a network compute what timm's does.

    Args:
        weights: state dictionary of a timm mobilenetv1 model; anything behind its blocks is left out.
        network: a MobileNetV1, or the module that stands for it in a built model (`model.model[0]`). Left as it is;
            its norms' eps must have its final value.

    Raises:
        WeightsError: these are not the weights of a MobileNetV1 of the network's width.
    """
    state = network.state_dict()
    eps = {name: module.eps for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    converted: dict[str, Tensor] = {}
    for conv, norm, ours in (_STEM, *_layers()):
        names = {f"{conv}.weight": f"{ours}.conv.weight"}
        names |= {f"{norm}.{each}": f"{ours}.bn.{each}" for each in ("weight", "bias", "running_mean", "running_var")}
        block = {target: _fitting(weights, source, state[target]) for source, target in names.items()}
        variance = block[f"{ours}.bn.running_var"]
        block[f"{ours}.bn.weight"] *= ((variance + eps[f"{ours}.bn"]) / (variance + TIMM_EPS)).sqrt()
        if (conv, norm, ours) == _STEM:
            # conv(W, (x - MEAN) / STD) = conv(W / STD, x) - offset, and the norm subtracts its mean anyway.
            block[f"{ours}.conv.weight"] /= STD
            block[f"{ours}.bn.running_mean"] += MEAN * block[f"{ours}.conv.weight"].sum((1, 2, 3))
        converted |= block
    # Counts of batches, which momentum makes irrelevant, stay the network's own.
    return {name: converted[name].to(tensor) if name in converted else tensor for name, tensor in state.items()}


def _layers() -> Iterator[tuple[str, str, str]]:
    """Convolution and norm in timm, and the Conv that holds both here, behind the stem."""
    stage, position = 0, 0
    for group, layers in enumerate(LAYERS_BY_MAP):
        for index, (_, stride) in enumerate(layers, start=1 if group == 0 else 0):  # behind the stem in its group
            if stride == 2:  # where timm starts a stage
                stage, position = stage + 1, 0
            theirs, ours = f"blocks.{stage}.{position}", f"m.{group}.{index}"
            yield f"{theirs}.conv_dw", f"{theirs}.bn1", f"{ours}.0"
            yield f"{theirs}.conv_pw", f"{theirs}.bn2", f"{ours}.1"
            position += 1


def _fitting(weights: Mapping[str, Tensor], name: str, target: Tensor) -> Tensor:
    """A copy of one tensor in double precision, once its shape is right."""
    if name not in weights:
        raise WeightsError(f"no MobileNetV1 of timm's: it has no tensor {name!r}")
    if weights[name].shape != target.shape:
        raise WeightsError(
            f"{name} is {tuple(weights[name].shape)} and the network's is {tuple(target.shape)}: the weights "
            + _whose(weights)
        )
    return weights[name].detach().to("cpu", torch.double, copy=True)


def _whose(weights: Mapping[str, Tensor]) -> str:
    """Which width these weights are for, as far as they are a MobileNetV1's at all."""
    width = len(weights[_LAST]) / MOBILENET_TAP_CHANNELS[-1] if _LAST in weights else 0
    if len(weights[f"{_STEM[0]}.weight"]) != mobilenet_channels(STEM_CHANNELS, width):
        return "are not those of a MobileNetV1"
    return f"are for width {width:g}"
