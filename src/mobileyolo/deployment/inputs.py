"""An image file -> a network's input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ultralytics.data.augment import LetterBox
from ultralytics.utils.patches import imread

from mobileyolo.deployment.engines import Array


def network_input(file: Path, height: int, width: int) -> Array:
    """An image, scaled and padded to a size in pixels: (1, 3, height, width), RGB in [0, 1]."""
    image = LetterBox((height, width), auto=False)(image=imread(str(file)))  # (height, width, 3), BGR in 0 to 255
    return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
