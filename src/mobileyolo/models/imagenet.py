"""ImageNet weights of timm's MobileNetV1 (`mobilenetv1_100`, `mobilenetv1_125`) for this network. No files.

The converted network computes the same function in evaluation mode, except at the image's border:

- timm's input is (x - 0.5) / 0.5, Ultralytics' input is x in [0, 1]. The difference is folded into the stem.
- timm's batch norms have another epsilon than those that Ultralytics builds. The difference is folded into the norms'
  weights.
- The stem pads with zeros, which is mid-grey for timm and black here. That can't be folded. In an untrained network at
  640 px it changes the feature maps at the top and left; the mean absolute difference at strides 4 to 32 is 1, 2, 8 and
  13 % of the map's mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from mobileyolo.core.errors import WeightsError
from mobileyolo.models.architecture import MOBILENET_TAP_CHANNELS, mobilenet_channels
from mobileyolo.models.mobilenet_v1 import LAYERS_BY_MAP, STEM_CHANNELS

# From timm's default_cfgs of the mobilenetv1 models: one mean and deviation for all three channels. Both use RGB.
MEAN = 0.5
STD = 0.5
TIMM_EPS = 1e-5

_STEM = ("conv_stem", "bn1", "m.0.0")  # names of convolution and norm in timm, and of the Conv with both here
_LAST = "blocks.4.1.conv_pw.weight"


def from_timm(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state dictionary with which a network computes the same as timm's.

    Args:
        weights: state dictionary of a timm mobilenetv1 model; what comes after its blocks is left out.
        network: a MobileNetV1, or its module in a built model (`model.model[0]`). It is not changed. The eps of its
            norms must have its final value.

    Raises:
        WeightsError: the weights are not those of a MobileNetV1 with the network's width.
    """
    state = network.state_dict()
    eps = {name: module.eps for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    converted: dict[str, Tensor] = {}
    for timm_conv, timm_norm, layer in (_STEM, *_layers()):
        names = {f"{timm_conv}.weight": f"{layer}.conv.weight"}
        for each in ("weight", "bias", "running_mean", "running_var"):
            names[f"{timm_norm}.{each}"] = f"{layer}.bn.{each}"
        block = {name: _fitting(weights, timm_name, state[name]) for timm_name, name in names.items()}
        variance = block[f"{layer}.bn.running_var"]
        block[f"{layer}.bn.weight"] *= ((variance + eps[f"{layer}.bn"]) / (variance + TIMM_EPS)).sqrt()
        if (timm_conv, timm_norm, layer) == _STEM:
            # conv(W, (x - MEAN) / STD) = conv(W / STD, x) - offset, and the norm subtracts its mean anyway.
            block[f"{layer}.conv.weight"] /= STD
            block[f"{layer}.bn.running_mean"] += MEAN * block[f"{layer}.conv.weight"].sum((1, 2, 3))
        converted |= block
    # The network keeps its own counts of batches (num_batches_tracked), which batch norms with a momentum don't use.
    return {name: converted[name].to(tensor) if name in converted else tensor for name, tensor in state.items()}


def _layers() -> Iterator[tuple[str, str, str]]:
    """For each layer after the stem: names of convolution and norm in timm, and of the Conv with both here."""
    stage, position = 0, 0
    for group, layers in enumerate(LAYERS_BY_MAP):
        for index, (_, stride) in enumerate(layers, start=1 if group == 0 else 0):  # the stem is number 0 of group 0
            if stride == 2:  # timm starts a new stage here
                stage, position = stage + 1, 0
            timm_block, block = f"blocks.{stage}.{position}", f"m.{group}.{index}"
            yield f"{timm_block}.conv_dw", f"{timm_block}.bn1", f"{block}.0"
            yield f"{timm_block}.conv_pw", f"{timm_block}.bn2", f"{block}.1"
            position += 1


def _fitting(weights: Mapping[str, Tensor], name: str, target: Tensor) -> Tensor:
    """A copy of one tensor in double precision, if its shape is right."""
    if name not in weights:
        raise WeightsError(f"no MobileNetV1 of timm's: it has no tensor {name!r}")
    if weights[name].shape != target.shape:
        raise WeightsError(
            f"{name} is {tuple(weights[name].shape)} and the network's is {tuple(target.shape)}: the weights "
            + _whose(weights)
        )
    return weights[name].detach().to("cpu", torch.double, copy=True)


def _whose(weights: Mapping[str, Tensor]) -> str:
    """The end of a message: the width that these weights are for, if they are those of a MobileNetV1."""
    last, stem = (weights[name].shape[:1].numel() if name in weights else 0 for name in (_LAST, f"{_STEM[0]}.weight"))
    width = last / MOBILENET_TAP_CHANNELS[-1]
    if stem != mobilenet_channels(STEM_CHANNELS, width):
        return "are not those of a MobileNetV1"
    return f"are for width {width:g}"
