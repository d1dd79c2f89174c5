"""ImageNet weights of others' MobileNetV1 for this network: timm's (such as `mobilenetv1_100`) and Keras'. No files.

Keras Applications publishes Google's weights, for width multipliers 0.25, 0.5, 0.75 and 1.0.

The converted network computes the same function in evaluation mode, except at the image's border:

- Their input is (x - 0.5) / 0.5, Ultralytics' input is x in [0, 1]. The difference is folded into the stem.
- timm's batch norms have another epsilon than those that Ultralytics builds, Keras' have the same. The difference is
  folded into the norms' weights.
- The stem pads with zeros, which is mid-grey for them and black here. That can't be folded. In an untrained network at
  640 px it changes the feature maps at the top and left; the mean absolute difference at strides 4 to 32 is 1, 2, 8 and
  13 % of the map's mean.
- Keras pads where `padding="same"` of MobileNetV1 does. With PyTorch's padding, the map at stride s is that of Keras
  for the image moved by s - 1 pixels to the right and down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mobileyolo.core.errors import WeightsError
from mobileyolo.models.architecture import MOBILENET_TAP_CHANNELS, mobilenet_channels
from mobileyolo.models.mobilenet_v1 import LAYERS_BY_MAP, STEM_CHANNELS, MobileNetV1

# One mean and deviation for all three channels: timm's default_cfgs of the mobilenetv1 models, and x / 127.5 - 1 in
# Keras' preprocess_input. All use RGB.
MEAN = 0.5
STD = 0.5
TIMM_EPS = 1e-5
KERAS_EPS = 1e-3

Names = tuple[str, str, str, str, str]


class Layer(NamedTuple):
    """Names of a convolution's kernel and of its norm's weight, bias, mean and variance, here and at the publishers."""

    here: Names
    timm: Names
    keras: Names


def convert(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state dictionary with which a network computes the same as its publisher's.

    Args:
        weights: of a MobileNetV1; what comes after its blocks is left out. Either the state dictionary of a timm model,
            or Keras' arrays by layer and name (`conv1/kernel`), with kernels as Keras has them.
        network: a MobileNetV1, or its module in a built model (`model.model[0]`). It is not changed. The eps of its
            norms must have its final value.

    Raises:
        WeightsError: the weights are not those of a MobileNetV1 with the network's width.
    """
    state = network.state_dict()
    eps = {f"{name}.weight": norm.eps for name, norm in network.named_modules() if isinstance(norm, nn.BatchNorm2d)}
    of_keras = LAYERS[0].keras[0] in weights
    if of_keras:
        weights = {name: _in_torchs_order(name, array) for name, array in weights.items()}
    converted: dict[str, Tensor] = {}
    for layer in LAYERS:
        names, their_eps = (layer.keras, KERAS_EPS) if of_keras else (layer.timm, TIMM_EPS)
        kernel, scale, bias, mean, variance = (
            _fitting(weights, name, state[here]) for name, here in zip(names, layer.here, strict=True)
        )
        scale *= ((variance + eps[layer.here[1]]) / (variance + their_eps)).sqrt()
        if layer is LAYERS[0]:
            # conv(W, (x - MEAN) / STD) = conv(W / STD, x) - offset, and the norm subtracts its mean anyway.
            kernel /= STD
            mean += MEAN * kernel.sum((1, 2, 3))
        converted |= zip(layer.here, (kernel, scale, bias, mean, variance), strict=True)
    # The network keeps its own counts of batches (num_batches_tracked), which batch norms with a momentum don't use.
    return {name: converted[name].to(tensor) if name in converted else tensor for name, tensor in state.items()}


def keras_shapes(width: float) -> dict[str, tuple[int, ...]]:
    """Shapes of Keras' arrays for a width multiplier, by layer and name: `conv_dw_1/depthwise_kernel`.

    Raises:
        ValueError: the width is out of range.
    """
    with torch.device("meta"):
        state = MobileNetV1(width).state_dict()
    pairs = [pair for layer in LAYERS for pair in zip(layer.keras, layer.here, strict=True)]
    return {name: tuple(_in_keras_order(name, state[here]).shape) for name, here in pairs}


def _layers() -> Iterator[Layer]:
    """Every convolution with its norm, in the order of the network."""
    yield Layer(_here("m.0.0"), _timm("conv_stem", "bn1"), _keras("conv1", "kernel"))
    number, stage, position = 1, 0, 0
    for group, layers in enumerate(LAYERS_BY_MAP):
        for index, (_, stride) in enumerate(layers, start=1 if group == 0 else 0):  # the stem is number 0 of group 0
            if stride == 2:  # timm starts a new stage here
                stage, position = stage + 1, 0
            block, here = f"blocks.{stage}.{position}", f"m.{group}.{index}"
            depthwise, pointwise = f"conv_dw_{number}", f"conv_pw_{number}"
            yield Layer(
                _here(f"{here}.0"), _timm(f"{block}.conv_dw", f"{block}.bn1"), _keras(depthwise, "depthwise_kernel")
            )
            yield Layer(_here(f"{here}.1"), _timm(f"{block}.conv_pw", f"{block}.bn2"), _keras(pointwise, "kernel"))
            number, position = number + 1, position + 1


def _here(layer: str) -> Names:
    return _timm(f"{layer}.conv", f"{layer}.bn")  # both are torch's modules


def _timm(conv: str, norm: str) -> Names:
    return f"{conv}.weight", f"{norm}.weight", f"{norm}.bias", f"{norm}.running_mean", f"{norm}.running_var"


def _keras(layer: str, kernel: str) -> Names:
    norm = f"{layer}_bn"
    return f"{layer}/{kernel}", f"{norm}/gamma", f"{norm}/beta", f"{norm}/moving_mean", f"{norm}/moving_variance"


LAYERS = tuple(_layers())


def _in_torchs_order(name: str, array: Tensor) -> Tensor:
    """Keras' kernels are (h, w, in, out), and (h, w, channels, 1) if they are depthwise."""
    if array.ndim != 4:
        return array
    return array.permute(2, 3, 0, 1) if name.endswith("/depthwise_kernel") else array.permute(3, 2, 0, 1)


def _in_keras_order(name: str, tensor: Tensor) -> Tensor:
    if tensor.ndim != 4:
        return tensor
    return tensor.permute(2, 3, 0, 1) if name.endswith("/depthwise_kernel") else tensor.permute(2, 3, 1, 0)


def _fitting(weights: Mapping[str, Tensor], name: str, target: Tensor) -> Tensor:
    """A copy of one tensor in double precision, if its shape is right and its values are numbers."""
    if name not in weights:
        raise WeightsError(f"no MobileNetV1 of timm's or Keras': it has no tensor {name!r}")
    if weights[name].shape != target.shape:
        raise WeightsError(
            f"{name} is {tuple(weights[name].shape)} and the network's is {tuple(target.shape)}: the weights "
            + _whose(weights)
        )
    if not weights[name].isfinite().all():
        raise WeightsError(f"{name} holds NaN or infinity: the weights are damaged")
    return weights[name].detach().to("cpu", torch.double, copy=True)


def _whose(weights: Mapping[str, Tensor]) -> str:
    """The end of a message: the width that these weights are for, if they are those of a MobileNetV1."""
    stem, last = (
        sum(weights[name].shape[:1].numel() for name in (layer.timm[0], layer.keras[0]) if name in weights)
        for layer in (LAYERS[0], LAYERS[-1])
    )
    width = last / MOBILENET_TAP_CHANNELS[-1]
    if stem != mobilenet_channels(STEM_CHANNELS, width):
        return "are not those of a MobileNetV1"
    return f"are for width {width:g}"
