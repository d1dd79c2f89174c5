"""Chooses images as samples of a dataset: a few from each split, the same ones each time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mobileyolo.core.records import SPLITS, Split


def choose_samples(images: pd.DataFrame, boxes: pd.DataFrame, count: int) -> dict[Split, list[str]]:
    """Choose images that show as many classes as possible, spread over the split.

    Args:
        images: split and image, sorted.
        boxes: split, image and class_id.
        count: How many images of each split.

    Returns:
        Images by split, for the splits that have any.
    """
    shows = boxes[["split", "image", "class_id"]].drop_duplicates()
    seen: set[int] = set()
    chosen = {}
    for split in SPLITS:
        own = images.loc[images["split"] == split, "image"].drop_duplicates()
        if len(own):
            chosen[split] = _choose(own, shows.loc[shows["split"] == split, ["image", "class_id"]], count, seen)
    return chosen


def _choose(own: pd.Series, shows: pd.DataFrame, count: int, seen: set[int]) -> list[str]:
    """Images of one split; the classes that they show are added to `seen`."""
    order = pd.Series(np.arange(len(own)), index=own)
    chosen: list[str] = []
    # Images with similar names are often frames of one video, so the choices are spread evenly over the names.
    for number in range(min(count, len(own))):
        place = (number + 0.5) * len(own) / count
        new = shows.loc[~shows["class_id"].isin(seen), "image"].value_counts().reindex(own, fill_value=0)
        rest = pd.DataFrame({"new": new, "distance": (order - place).abs(), "order": order}).drop(index=chosen)
        image = str(rest.sort_values(["new", "distance", "order"], ascending=[False, True, True]).index[0])
        chosen.append(image)
        seen.update(shows.loc[shows["image"] == image, "class_id"])
    return sorted(chosen)
