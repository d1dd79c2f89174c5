"""The section `train` of params.yaml without the keys of the teacher: the recipe that both arms share."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mobileyolo.core.config import PARAMS_FILE, ImageSize, Section, Share
from mobileyolo.core.errors import ConfigError


class TrainingRecipe(Section):
    """How both arms are trained. Names and meanings are those of Ultralytics' train settings, but for precision."""

    key: ClassVar[str] = "train"
    whole: ClassVar[bool] = False  # the keys teacher, taught and dis are in models/parameters.py

    epochs: Annotated[int, Field(ge=1)]
    imgsz: ImageSize  # pixels
    batch: Annotated[int, Field(ge=1)]
    nbs: Annotated[int, Field(ge=1)]
    precision: Literal["fp32", "bf16"]  # of forward and loss; weights, their updates and validation are in float32
    optimizer: Literal["auto", "SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSProp"]
    lr0: Annotated[float, Field(gt=0)]
    lrf: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    cos_lr: bool
    mosaic: Share
    close_mosaic: Annotated[int, Field(ge=0)]
    mixup: Share
    hsv_h: Share
    hsv_s: Share
    hsv_v: Share
    degrees: Annotated[float, Field(ge=0, le=180)]
    translate: Share
    scale: Share
    fliplr: Share
    flipud: Share


def check_batch(batch: int, gpus: int) -> None:
    """Refuse a batch that the GPUs can't share.

    Args:
        batch: train.batch.
        gpus: how many train one model.

    Raises:
        ConfigError: some would get more images than others.
    """
    if batch % gpus:
        above = batch + gpus - batch % gpus
        raise ConfigError(
            f"{PARAMS_FILE}: train.batch: {batch}: {gpus} GPUs train one model, and each gets an equal share: choose a "
            f"multiple of {gpus}, such as {above}, or fewer GPUs"
        )
