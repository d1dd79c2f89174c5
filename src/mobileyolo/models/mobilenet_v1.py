"""MobileNetV1 (Howard et al. 2017, arXiv 1704.04861, table 1) without its classifier.

Built from Ultralytics' own Conv and DWConv, because its fuse() folds batch norm into those only.
"""

from __future__ import annotations

import torch
from torch import nn
from ultralytics.nn.modules import Conv, DWConv

from mobileyolo.models.architecture import MOBILENET_TAP_CHANNELS, mobilenet_channels

STEM_CHANNELS = 32
# Output channels at alpha 1.0 of each depthwise separable layer, grouped by the stride of its output; every group
# but the first starts with the layer that halves the resolution.
LAYERS_BY_STRIDE = {
    2: (64,),
    4: (128, 128),
    8: (256, 256),
    16: (512, 512, 512, 512, 512, 512),
    32: (1024, 1024),
}


class DepthwiseSeparable(nn.Sequential):
    """A 3x3 depthwise and a 1x1 pointwise convolution, each with batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(
            DWConv(inputs, inputs, k=3, s=stride, act=nn.ReLU6()),
            Conv(inputs, outputs, k=1, act=nn.ReLU6()),
        )


class MobileNetV1(nn.Module):
    """The network's maps at strides 4, 8, 16 and 32.

    Attributes:
        channels: of each map, in order of stride.
        strides: input pixels to one step of each map.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, width: float = 1.0) -> None:
        """Build the network for 3 input channels.

        Args:
            width: the paper's width multiplier alpha, in (0, 2]. Channels are rounded to a multiple of 8.

        Raises:
            ValueError: the width is out of range.
        """
        super().__init__()
        if not 0 < width <= 2:
            raise ValueError(f"MobileNetV1: width multiplier {width!r} is not in (0, 2]")
        self.width = width
        self.channels = tuple(mobilenet_channels(channels, width) for channels in MOBILENET_TAP_CHANNELS)
        current = mobilenet_channels(STEM_CHANNELS, width)
        self.stem = Conv(3, current, k=3, s=2, act=nn.ReLU6())
        groups: list[nn.Sequential] = []
        for stride, layers in LAYERS_BY_STRIDE.items():
            group: list[nn.Module] = []
            for position, outputs in enumerate(layers):
                halves = stride > 2 and position == 0
                scaled = mobilenet_channels(outputs, width)
                group.append(DepthwiseSeparable(current, scaled, stride=2 if halves else 1))
                current = scaled
            groups.append(nn.Sequential(*group))
        self.groups = nn.ModuleList(groups)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Maps at strides 4, 8, 16 and 32: each (N, channels[i], H / strides[i], W / strides[i])."""
        x = self.stem(x)  # (N, 32 alpha, H / 2, W / 2)
        maps = []
        for group in self.groups:
            x = group(x)
            maps.append(x)
        return maps[1:]
