"""The rows that can be judged: what has a fault says nothing about quality."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from mobileyolo.dataset.kinds import Audited


@lru_cache(maxsize=1)  # most kinds ask for it, and of a million boxes it takes a second
def judged_boxes(audited: Audited) -> pd.DataFrame:
    """The boxes that have no fault and whose image can be read, each line once.

    Returns:
        image (category), split (category), line, class_id, x, y, w, h, width, height.
    """
    boxes = audited.boxes
    columns = ["image", "split", "line", "class_id", "x", "y", "w", "h", "width", "height"]
    return boxes.loc[audited.sound_boxes, columns].astype({"image": "category", "split": "category"})


def boxes_by_split(audited: Audited) -> pd.DataFrame:
    """The same, with the boxes of an image that is in two splits once for each of them."""
    boxes = judged_boxes(audited)
    if audited.images["image"].is_unique:
        return boxes
    return boxes.drop(columns="split").merge(audited.images[["image", "split"]], on="image")


def readable_images(audited: Audited) -> pd.DataFrame:
    """The images that can be read, each file once."""
    readable = audited.images[audited.images["read_error"].isna()]
    return readable[~readable["image"].duplicated()]
