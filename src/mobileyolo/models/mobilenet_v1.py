"""MobileNetV1 (Howard et al. 2017, arXiv 1704.04861, table 1) without its classifier.

Built from Ultralytics' Conv and DWConv, because Ultralytics' fuse() folds batch norms into these only.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Literal, get_args

import torch
from torch import nn
from ultralytics.nn.modules import Conv, DWConv, TorchVision

from mobileyolo.models.architecture import MOBILENET_TAP_CHANNELS, mobilenet_channels

STEM_CHANNELS = 32
# Output channels at alpha 1.0 and stride of each depthwise separable layer; each group ends with a feature map.
LAYERS_BY_MAP = (
    ((64, 1), (128, 2), (128, 1)),  # stride 4, after the stem
    ((256, 2), (256, 1)),  # stride 8
    ((512, 2), *[(512, 1)] * 5),  # stride 16
    ((1024, 2), (1024, 1)),  # stride 32
)

# Where a convolution of stride 2 gets its zeros, if sides are even: all round, as in PyTorch, or at the right and
# bottom only, as in TensorFlow, which calls it "same".
Padding = Literal["symmetric", "same"]


def depthwise_separable(inputs: int, outputs: int, stride: int, padding: Padding = "symmetric") -> nn.Sequential:
    """A 3x3 depthwise and a 1x1 pointwise convolution, each with batch norm and ReLU6."""
    layer = nn.Sequential(
        DWConv(inputs, inputs, k=3, s=stride, act=nn.ReLU6()),
        Conv(inputs, outputs, k=1, act=nn.ReLU6()),
    )
    return _padded_after(layer) if stride == 2 and padding == "same" else layer


def _padded_after(blocks: nn.Sequential) -> nn.Sequential:
    """The same blocks under the same names, the first of which gets its zeros at the right and bottom only."""
    first: Any = blocks[0]
    first.conv.padding = (0, 0)
    return nn.Sequential(OrderedDict([("pad", nn.ZeroPad2d((0, 1, 0, 1))), *blocks.named_children()]))


class MobileNetV1(nn.Module):
    """The network, which returns its feature maps at strides 4, 8, 16 and 32.

    Attributes:
        width: the paper's width multiplier alpha.
        channels: of each map, in order of stride.
        strides: of each map, in pixels of the input.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, width: float = 1.0, padding: Padding = "symmetric") -> None:
        """Build the network for 3 input channels.

        Args:
            width: the paper's width multiplier alpha, in (0, 2]. Channels are rounded to a multiple of 8.
            padding: of the convolutions with stride 2. With "same" they compute what TensorFlow's do, for an image
                whose sides are multiples of 32. It changes no tensor's name or shape.

        Raises:
            ValueError: the width is out of range, or the padding is unknown.
        """
        super().__init__()
        if not 0 < width <= 2:
            raise ValueError(f"MobileNetV1: width multiplier {width!r} is not in (0, 2]")
        if padding not in get_args(Padding):
            raise ValueError(f"MobileNetV1: padding {padding!r} is not one of {', '.join(get_args(Padding))}")
        self.width = width
        self.channels = tuple(mobilenet_channels(channels, width) for channels in MOBILENET_TAP_CHANNELS)
        current = mobilenet_channels(STEM_CHANNELS, width)
        groups: list[list[nn.Module]] = [[Conv(3, current, k=3, s=2, act=nn.ReLU6())], [], [], []]
        for group, layers in zip(groups, LAYERS_BY_MAP, strict=True):
            for outputs, stride in layers:
                scaled = mobilenet_channels(outputs, width)
                group.append(depthwise_separable(current, scaled, stride, padding))
                current = scaled
        # The attributes that Ultralytics' TorchVision module has for its blocks, and for returning the map of each.
        stem, *others = (nn.Sequential(*group) for group in groups)
        self.m = nn.Sequential(_padded_after(stem) if padding == "same" else stem, *others)
        self.split = True

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps at strides 4, 8, 16 and 32: each (N, channels[i], H / strides[i], W / strides[i])."""
        maps = []
        for group in self.m:
            x = group(x)
            maps.append(x)
        return maps

    def as_stock_module(self) -> TorchVision:
        """The same blocks in Ultralytics' own TorchVision module, which returns its input and then the same maps.

        A checkpoint with this module holds no class of this package. So it can be loaded without this package, and with
        ULTRALYTICS_SAFE_LOAD=1. Layers that read the maps have to count them from the end.
        """
        module = TorchVision.__new__(TorchVision)
        module.__dict__ = self.__dict__
        return module
