"""The rows that can be judged: what has a fault says nothing about quality.

An image that is in two splits counts once here, in the first of them (train, val, test): it is one picture, and being
in both is a fault of its own. Only `Audited.classes` counts it in both, because there the question is what each split
shows.
"""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from mobileyolo.dataset.finding_kinds import Audited


@lru_cache(maxsize=1)  # most kinds ask for it, and it takes a second for a million boxes
def judged_boxes(audited: Audited) -> pd.DataFrame:
    """The boxes without a fault in readable images, each label line once.

    Returns:
        image (category), split (category), line, class_id, x, y, w, h, width, height.
    """
    boxes = audited.boxes
    columns = ["image", "split", "line", "class_id", "x", "y", "w", "h", "width", "height"]
    return boxes.loc[audited.sound_boxes, columns].astype({"image": "category", "split": "category"})


def readable_images(audited: Audited) -> pd.DataFrame:
    """The images that can be read, each file once, in the first of its splits."""
    readable = audited.images[audited.images["read_error"].isna()]
    return readable[~readable["image"].duplicated()]
