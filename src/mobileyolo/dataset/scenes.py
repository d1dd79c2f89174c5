"""Which images show the same scene, and so are not independent: near-duplicates, and images of one group (pure)."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mobileyolo.core.files import NONE
from mobileyolo.dataset.similarity import NEAR, near_duplicate_groups

BLANK_CONTRAST = 0.01  # two to three grey levels; with less, the perceptual hash is one of noise, or the same for all


def groups_of(images: pd.Series, pattern: str) -> pd.Series:
    r"""The group of each image, such as the video that it was taken from.

    >>> images = pd.Series(["train/images/street_frame001.jpg", "train/images/park.jpg"])
    >>> groups_of(images, r"([^/]+)_frame\d+").tolist()
    ['street', None]

    Args:
        images: paths with forward slashes.
        pattern: `data.group`: a regular expression searched in the path, or `none`.

    Returns:
        What the first capturing group matched, or the whole expression if it has none, on the index of the images;
        missing where nothing or an empty text matched.
    """
    if pattern == NONE:
        return pd.Series([None] * len(images), index=images.index, dtype="object")
    expression = re.compile(pattern)
    matches = [expression.search(image) for image in images]
    part = min(expression.groups, 1)
    return pd.Series([match and (match[part] or None) for match in matches], index=images.index, dtype="object")


def scenes_of(images: pd.DataFrame, pattern: str) -> NDArray[np.int32]:
    """Number the scenes. Two images of one split are one scene if they are near-duplicates or of one group.

    That also goes through others: where a looks like b, and b is of the group of c, all three are one scene. The hash
    of a blank image says nothing, so only images with the same pixels count as its near-duplicates.

    Args:
        images: split, image, pixels, dhash and contrast, as in `RawDataset.images`; readable ones, in the order of
            splits, each image once in a split.
        pattern: as for `groups_of`.

    Returns:
        The scene of each image, shape (images,), from 0 in the order of first appearance.
    """
    scenes, groups = np.empty(len(images), np.int32), groups_of(images["image"], pattern)
    first = 0
    for split in images["split"].unique():
        own = (images["split"] == split).to_numpy()
        numbers = _scenes_of_split(images[own], groups[own])
        scenes[own] = first + numbers
        first += numbers.max() + 1
    return scenes


def _scenes_of_split(images: pd.DataFrame, groups: pd.Series) -> NDArray[np.int64]:
    """Number the scenes of one split from 0, in the order of first appearance."""
    count = len(images)
    telling = (images["contrast"] >= BLANK_CONTRAST).to_numpy()
    look = count + pd.factorize(images["pixels"])[0]
    look[telling] = near_duplicate_groups(images.loc[telling, "dhash"].to_numpy(np.uint64), NEAR)
    group = pd.factorize(groups)[0]
    group = np.where(group < 0, count + np.arange(count), group)  # an image without a group is one of its own
    # A graph of looks and groups, in which each image links its own two.
    links = coo_array((np.ones(count, bool), (look, 2 * count + group)), shape=(4 * count, 4 * count))
    _, component = connected_components(links, directed=False)
    numbers: NDArray[np.int64] = pd.factorize(component[look])[0]
    return numbers
