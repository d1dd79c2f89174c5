"""Parameters and floating point operations of a model."""

from __future__ import annotations

from ultralytics.utils.torch_utils import get_flops

from mobileyolo.core.records import Profile
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict


def profile(backbone: str, architecture: ModelDict, imgsz: int) -> Profile:
    """Cost of a model after fusing, as for inference.

    Args:
        backbone: its backbone's name, for the record.
        architecture: model dictionary.
        imgsz: side of the square input in pixels.

    Raises:
        RuntimeError: the operations can't be counted.
    """
    model = bridge.build_model(architecture).fuse(verbose=False)
    gflops = get_flops(model, imgsz)
    if not gflops:
        # Ultralytics 8.4 hides every error in get_flops and returns 0.
        raise RuntimeError(f"counting the operations of {backbone} at {imgsz} pixels failed")
    return Profile(
        backbone=backbone,
        imgsz=imgsz,
        classes=architecture["nc"],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        gflops=round(gflops, 4),
    )
