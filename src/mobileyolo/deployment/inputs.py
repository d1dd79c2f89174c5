"""An image file -> a network's input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ultralytics.cfg import get_cfg
from ultralytics.data.augment import LetterBox
from ultralytics.utils.patches import imread

from mobileyolo.core.errors import ExportError
from mobileyolo.core.tables import Manifest
from mobileyolo.deployment.engines import Array
from mobileyolo.loading import build_dataset, dataset_dictionary

CALIBRATION_IMAGES = 300  # NNCF's own default; ranges of activations hardly change with more


def network_input(file: Path, height: int, width: int) -> Array:
    """An image, scaled and padded to a size in pixels: (1, 3, height, width), RGB in [0, 1]."""
    image = LetterBox((height, width), auto=False)(image=imread(str(file)))  # (height, width, 3), BGR in 0 to 255
    return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def spread(count: int, limit: int) -> list[int]:
    """Up to `limit` places of `count`, spread evenly; the same ones every time."""
    places: list[int] = np.linspace(0, count - 1, min(limit, count)).round().astype(int).tolist()
    return places


class CalibrationImages:
    """Training images to calibrate a quantised network with, prepared as evaluation prepares them.

    They are of the training split, because what a model is measured on must not have shaped it. An image is read when
    it is asked for.
    """

    def __init__(self, manifest: Manifest, root: Path, names: tuple[str, ...], imgsz: int) -> None:
        """Choose up to CALIBRATION_IMAGES of them, spread evenly over the split.

        Args:
            manifest: the dataset's clean rows.
            root: the dataset's folder.
            names: of the classes.
            imgsz: side of the square input in pixels.

        Raises:
            ExportError: the training split has no image.
            DatasetError: an image is gone or has changed since it was validated.
        """
        data = dataset_dictionary(manifest, names, root, ("train",))
        if not data["train"].labels:
            raise ExportError(f"{root}: the split 'train' has no image to calibrate int8 with")
        settings = get_cfg(overrides={"task": "detect", "imgsz": imgsz})
        self._dataset = build_dataset(data["train"], settings, data, batch=1, stride=32, augment=False, square=True)
        self._places = spread(len(self._dataset), CALIBRATION_IMAGES)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._places)

    def __iter__(self) -> Iterator[Array]:
        """Each as (1, 3, imgsz, imgsz), RGB in [0, 1].

        Raises:
            DatasetError: an image is another one than was validated.
        """
        for place in self._places:
            yield self._dataset[place]["img"][None].numpy().astype(np.float32) / np.float32(255)
