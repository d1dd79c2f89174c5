"""Which backbone pretrained tensors are of, told by their names and shapes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mobileyolo.core.backbones import BackboneSpec, MobileNet, Stock
from mobileyolo.models.architecture import (
    MOBILENET_TAP_CHANNELS,
    STOCK_BACKBONE_ROWS,
    ModelDict,
    mobilenet_channels,
    model_dict,
)
from mobileyolo.models.mobilenet_v1 import STEM_CHANNELS

# Kernels of MobileNetV1's first and last layer, and which of their axes is that of the output channels.
_KERNELS = (
    ("conv_stem.weight", "blocks.4.1.conv_pw.weight", 0),  # timm's
    ("conv1/kernel", "conv_pw_13/kernel", -1),  # Keras'
)
_Outline = list[tuple[int, int]]  # output channels and number of blocks of each layer


def backbone_of(tensors: Mapping[str, Tensor], stock: ModelDict) -> BackboneSpec | None:
    """The backbone that tensors are of; a MobileNetV1's width is that of its last layer. None if they are of another.

    Args:
        tensors: by name, of a MobileNetV1 by timm or Keras, or of a model that begins with YOLO11's backbone.
        stock: YOLO11's own architecture, with its scales.
    """
    for first, last, axis in _KERNELS:
        if all(name in tensors and tensors[name].ndim == 4 for name in (first, last)):
            width = tensors[last].shape[axis] / MOBILENET_TAP_CHANNELS[-1]
            fits = tensors[first].shape[axis] == mobilenet_channels(STEM_CHANNELS, width)
            return MobileNet(width) if fits else None
    outline = _outline(tensors)
    return next((Stock(scale) for scale in stock["scales"] if _stock_outline(scale, stock) == outline), None)


def told(spec: BackboneSpec) -> BackboneSpec:
    """What `backbone_of` says of a backbone's own tensors: channels are multiples of 8, and so are not of any width.

    >>> told(MobileNet(0.3)), told(MobileNet(0.25))
    (MobileNet(width=0.296875), MobileNet(width=0.25))
    """
    if isinstance(spec, Stock):
        return spec
    last = MOBILENET_TAP_CHANNELS[-1]
    return MobileNet(mobilenet_channels(last, spec.width) / last)


def _outline(tensors: Mapping[str, Tensor]) -> _Outline:
    outline = []
    for layer in range(STOCK_BACKBONE_ROWS):
        kernels = [
            tensors[name]
            for name in (f"model.{layer}.{each}.weight" for each in ("conv", "cv2.conv"))
            if name in tensors
        ]
        blocks = {name.split(".")[3] for name in tensors if name.startswith(f"model.{layer}.m.")}
        outline.append((sum(kernel.shape[:1].numel() for kernel in kernels), len(blocks)))
    return outline


def _stock_outline(scale: str, stock: ModelDict) -> _Outline:
    rows = model_dict(f"yolo11{scale}", 1, stock)["backbone"][:STOCK_BACKBONE_ROWS]
    return [(args[0], repeats if module == "C3k2" else 0) for _, repeats, module, args in rows]
