"""The dataset's images, as the models that are timed get them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mobileyolo.core.records import Split
from mobileyolo.core.tables import Manifest
from mobileyolo.deployment.engines import Array
from mobileyolo.deployment.inputs import network_input
from mobileyolo.loading import SplitLabels

STRIDE = 32  # pixels; YOLO11's largest stride


def letterboxed(height: int, width: int, imgsz: int) -> tuple[int, int]:
    """Height and width in pixels that an image has as a network's input where Ultralytics predicts on it.

    The longer side becomes imgsz, and the shorter one is padded to a multiple of the stride. Ultralytics' validation
    pads more, up to half a stride on both sides.

    Args:
        height: of the image, in pixels.
        width: likewise.
        imgsz: length of the longer side in pixels; a multiple of 32.

    >>> letterboxed(480, 640, 320)
    (256, 320)
    """
    scale = imgsz / max(height, width)
    padded_height, padded_width = (math.ceil(round(side * scale) / STRIDE) * STRIDE for side in (height, width))
    return padded_height, padded_width


def typical_images(manifest: Manifest, root: Path, imgsz: int, count: int) -> Array:
    """Images of the shape that most of them have, evenly spread: (count, 3, height, width), RGB in [0, 1].

    They are of val and test, because a model finds other boxes in images that it was trained on. If there are too few,
    some are taken more than once.

    Args:
        manifest: the dataset's clean rows.
        root: the dataset's folder.
        imgsz: length of the longer side in pixels; a multiple of 32.
        count: how many.

    Raises:
        DatasetError: an image is gone or has changed since it was validated.
    """
    files: dict[tuple[int, int], list[Path]] = {}
    splits: tuple[Split, ...] = ("val", "test")
    for split in splits:
        for label in SplitLabels(manifest, root, split).labels:
            height, width = label["shape"]
            files.setdefault(letterboxed(height, width, imgsz), []).append(Path(label["im_file"]))
    shape = max(files, key=lambda each: len(files[each]))
    places = np.linspace(0, len(files[shape]) - 1, count).round().astype(int)
    return np.concatenate([network_input(files[shape][place], *shape) for place in places])
