"""The weights of a model that can be loaded."""

from __future__ import annotations

from pathlib import Path

import torch

from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict


def write_weights(path: Path, names: tuple[str, ...]) -> None:
    """Write a best.pt of mnv1_n: random weights, but fitted norms, so that its outputs depend on the image."""
    torch.manual_seed(0)
    model = bridge.build_model(model_dict("mnv1_n", len(names), bridge.stock_architecture()))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(4, 3, 64, 64))
    model.names, model.args = dict(enumerate(names)), {"imgsz": 64}
    torch.save({"epoch": 1, "model": model.half(), "train_args": model.args}, path)
