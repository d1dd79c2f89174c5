"""Boxes that lie almost wholly on another box of their image, in memory linear in the number of boxes."""

from __future__ import annotations

import numpy as np
import pandas as pd

LOWEST_IOU = 0.5  # lesser overlaps are not looked for, which is what keeps crowded images cheap


def closest_earlier_boxes(boxes: pd.DataFrame, *, same_class: bool) -> pd.DataFrame:
    """For each box the one of an earlier line of its image that it overlaps most.

    Boxes are compared with their neighbours from left to right, all of them with the next at once, then with the next
    but one, for as long as they begin early enough to share LOWEST_IOU.

    Args:
        boxes: image, line, class_id, x, y, w, h (xywhn).
        same_class: compare boxes of one class, or else of different ones.

    Returns:
        iou, other_line and other_class of the earlier box, on the boxes' index; 0, -1 and -1 where none shares
        LOWEST_IOU.
    """
    image = pd.factorize(boxes["image"])[0]
    line = boxes["line"].to_numpy()
    class_id = boxes["class_id"].to_numpy()
    x, y, w, h = (boxes[column].to_numpy(np.float64) for column in "xywh")
    left, top, right, bottom = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    latest_left = left + (1 - LOWEST_IOU) * w  # a box beginning after it shares too little

    order = np.argsort(2 * image + left)  # a left edge is in [-0.5, 1.5); one key sorts ten times as fast as two
    best = np.zeros(len(boxes))
    other = np.full(len(boxes), -1)
    here = np.arange(len(boxes))  # positions in the order whose neighbours are still to be compared
    offset = 0
    while len(here):
        offset += 1
        here = here[here + offset < len(boxes)]
        first, second = order[here], order[here + offset]
        near = (image[first] == image[second]) & (left[second] <= latest_left[first])
        here, first, second = here[near], first[near], second[near]

        width = np.minimum(right[first], right[second]) - left[second]
        height = np.minimum(bottom[first], bottom[second]) - np.maximum(top[first], top[second])
        shared = width * height.clip(min=0)
        iou = shared / (w[first] * h[first] + w[second] * h[second] - shared)
        close = (iou >= LOWEST_IOU) & ((class_id[first] == class_id[second]) == same_class)
        first, second, iou = first[close], second[close], iou[close]
        # Which of the two is the later line; a box is once at most in each half.
        for half in (line[first] > line[second], line[first] < line[second]):
            later = np.where(line[first] > line[second], first, second)[half]
            earlier = (first + second)[half] - later
            better = (iou[half] > best[later]) | ((iou[half] == best[later]) & (line[earlier] < line[other[later]]))
            best[later[better]] = iou[half][better]
            other[later[better]] = earlier[better]
    found = other >= 0
    return pd.DataFrame(
        {
            "iou": best,
            "other_line": np.where(found, line[other], -1),
            "other_class": np.where(found, class_id[other], -1),
        },
        index=boxes.index,
    )
