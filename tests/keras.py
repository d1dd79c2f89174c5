"""MobileNetV1 as Keras Applications has it: its files, and its graph in plain functions of torch."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Output channels at width 1.0 and stride of the separable layers, as arXiv 1704.04861 has them in table 1.
SEPARABLE = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
MAPS = (3, 5, 11, 13)  # separable layers that are the last of their stride, from stride 4
EPS = 1e-3
GREY = 0.5  # what zeros are after x / 127.5 - 1, for an image in [0, 1]

Arrays = dict[str, np.ndarray]


def keras_arrays(width: float) -> Arrays:
    """Random weights by layer and variable, in Keras' order of axes, with norms that fit them, as trained ones do."""
    random = np.random.default_rng(0)
    arrays: Arrays = {}

    def add(layer: str, variable: str, shape: tuple[int, ...], channels: int) -> None:
        # Variances over four orders of magnitude; the small ones make the epsilon matter.
        size = 10 ** random.uniform(-2, 0, shape[2:] if shape[3] == 1 else channels)
        arrays[f"{layer}/{variable}"] = random.normal(0, 1, shape) * size / np.sqrt(np.prod(shape) / channels)
        arrays[f"{layer}_bn/gamma"] = random.uniform(0.5, 1.5, channels)
        arrays[f"{layer}_bn/beta"] = random.normal(0.5, 1, channels)
        arrays[f"{layer}_bn/moving_mean"] = np.zeros(channels)
        arrays[f"{layer}_bn/moving_variance"] = np.ones(channels)

    current = int(32 * width)
    add("conv1", "kernel", (3, 3, 3, current), current)
    for number, (channels, _) in enumerate(SEPARABLE, start=1):
        outputs = int(channels * width)
        add(f"conv_dw_{number}", "depthwise_kernel", (3, 3, current, 1), current)
        add(f"conv_pw_{number}", "kernel", (1, 1, current, outputs), outputs)
        current = outputs
    keras_maps(arrays, torch.from_numpy(random.random((4, 3, 64, 64))), fit=True)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def write_keras(path: Path, arrays: Arrays, *, inside: str = "", ending: str = ":0") -> Path:
    """A file as Keras writes it: the layer's group, a group of the same name in it, and the variable."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in dict.fromkeys(n.split("/")[0] for n in arrays)]
        for name, array in arrays.items():
            layer, variable = name.split("/")
            file[f"{inside}/{layer}/{layer}/{variable}{ending}"] = array
    return path


def keras_maps(arrays: Arrays, images: Tensor, *, border: float = GREY, fit: bool = False) -> list[Tensor]:
    """The maps at strides 4, 8, 16 and 32 that Keras' graph computes, in double precision.

    Args:
        arrays: weights by layer and variable.
        images: (N, 3, H, W), RGB in [0, 1]; H and W are multiples of 32.
        border: grey level that the stem sees beyond the image.
        fit: first set the mean and variance in `arrays` to what these images give.
    """
    weights = {name: torch.from_numpy(array).double() for name, array in arrays.items()}

    def norm_relu6(x: Tensor, layer: str) -> Tensor:
        if fit:
            for name, value in (("moving_mean", x.mean((0, 2, 3))), ("moving_variance", x.var((0, 2, 3)))):
                weights[f"{layer}_bn/{name}"], arrays[f"{layer}_bn/{name}"] = value, value.numpy()
        gamma, beta, mean, variance = (
            weights[f"{layer}_bn/{name}"].view(-1, 1, 1) for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return ((x - mean) / (variance + EPS).sqrt() * gamma + beta).clamp(0, 6)

    def padded(x: Tensor, stride: int, value: float = 0.0) -> Tensor:
        return functional.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1), value=value)

    # With `value` before the preprocessing, the stem's zeros can be told from any other grey level.
    x = padded(images.double(), 2, border) * 255 / 127.5 - 1
    x = norm_relu6(functional.conv2d(x, weights["conv1/kernel"].permute(3, 2, 0, 1), stride=2), "conv1")
    maps = []
    for number, (_, stride) in enumerate(SEPARABLE, start=1):
        kernel = weights[f"conv_dw_{number}/depthwise_kernel"].permute(2, 3, 0, 1)
        x = functional.conv2d(padded(x, stride), kernel, stride=stride, groups=x.shape[1])
        x = norm_relu6(x, f"conv_dw_{number}")
        x = functional.conv2d(x, weights[f"conv_pw_{number}/kernel"].permute(3, 2, 0, 1))
        x = norm_relu6(x, f"conv_pw_{number}")
        if number in MAPS:
            maps.append(x)
    return maps
