"""The checkout in which both architectures can be trained, by the pipeline and by plain Ultralytics."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.datasets import Splits, private_copy, write_dataset
from benchmarks.measuring import Scale
from benchmarks.workspaces import Checkout
from mobileyolo.core.backbones import ARMS, Arm

# The values that docs/how-to/own-data.md starts with, at a size for the data here.
RECIPE = {
    **{"imgsz": 320, "batch": 8, "nbs": 8, "mosaic": 1.0, "close_mosaic": 0},
    **{"fliplr": 0.5, "scale": 0.5, "translate": 0.1, "hsv_s": 0.7},
}
SPLITS, QUICK_SPLITS = Splits(200, 50, 1000), Splits(16, 4, 16)


def arm_of(backbone: str) -> Arm:
    """The arm that has this backbone in the shipped params.yaml."""
    return "baseline" if backbone == "yolo11n" else "candidate"


def recipe_of(scale: Scale, epochs: int) -> dict[str, Any]:
    """Values of the section train.

    Args:
        scale: how much is measured.
        epochs: where it is not quick.
    """
    return RECIPE | ({"epochs": 1, "imgsz": 160} if scale.quick else {"epochs": epochs})


def data_of(scale: Scale) -> str:
    """The dataset in words."""
    splits = QUICK_SPLITS if scale.quick else SPLITS
    return scale.data.name if scale.data else f"{' + '.join(map(str, splits))} generated images"


def trainable(scale: Scale, recipe: Mapping[str, Any]) -> Checkout:
    """The checkout, prepared once for all cases that train on the same data, with this recipe."""
    work = _prepared(scale)
    work.write_params({"train": recipe})
    return work


def plain_description(work: Checkout) -> Path:
    """A data YAML for plain Ultralytics, with exactly the images of the manifest."""
    images, root = pd.read_parquet(work.path / "data/manifest/images.parquet"), work.params()["data"]["dir"]
    description: dict[str, Any] = {"path": root, "names": dict(enumerate(work.card.names))}
    for split, rows in images.groupby("split"):
        listed = work.path / f"plain-{split}.txt"
        listed.write_text("".join(f"{Path(root, image)}\n" for image in rows["image"]), encoding="utf-8")
        description[str(split)] = str(listed)
    file = work.path / "plain.yaml"
    file.write_text(yaml.safe_dump(description), encoding="utf-8")
    return file


@cache
def _prepared(scale: Scale) -> Checkout:
    folder = Path(_folder().name).resolve()
    if scale.data:
        dataset = private_copy(scale.data, folder / "data")
    else:
        dataset = write_dataset(folder / "data", QUICK_SPLITS if scale.quick else SPLITS)
    work = Checkout.create(folder / "checkout", dataset, {})
    for arm in ARMS:
        work.make_trainable(arm)
    return work


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """It is removed when this process ends."""
    return tempfile.TemporaryDirectory(prefix="mobileyolo-benchmark-", ignore_cleanup_errors=True)
