"""What kind of error each predicted box is, and which labelled boxes are missed, after TIDE (arXiv 2008.08115).

The most confident box of an image chooses first. It is a true positive if its IoU with a label of its class that no
box has found yet is 0.5 or more. For every other box, the first line that fits is its kind:

    location    its highest IoU with labels of its class is 0.1 to 0.5
    class       its highest IoU with labels of other classes is 0.5 or more
    duplicate   its IoU with a label of its class is over 0.5, but a more confident box has found that label
    background  its IoU with every label is 0.1 or less
    both        the rest: its highest IoU is 0.1 to 0.5, and with a label of another class

A label that no box found is missed, unless there is a location or class error at it.

Ultralytics lets the box with the higher IoU choose first, not the more confident one. So where several boxes lie on one
label, `tp_50` of the predictions can name another of them the true positive. In TIDE's order, as in COCO's, the kind of
a box does not depend on less confident boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mobileyolo.core.results import CORNERS, Statistics
from mobileyolo.verdict.records import ERROR_KINDS, ErrorKind
from mobileyolo.verdict.sorted_predictions import FloatArray, Indices

FOREGROUND = 0.5  # IoU from which a box lies on a label
BACKGROUND = 0.1  # IoU up to which a box lies on none

TRUE_POSITIVE: Literal["true positive"] = "true positive"
OUTCOMES = (TRUE_POSITIVE, "location", "class", "duplicate", "background", "both")


@dataclass(frozen=True)
class ClassifiedBoxes:
    """Predicted and labelled boxes, each with what it is.

    Attributes:
        predictions: image, class_id, confidence, x1, y1, x2, y2 (pixels), outcome (of OUTCOMES), label (row number in
            labels: the one that it found, found again, or is a location or class error at; -1 for background and both),
            would_find (is it the most confident location or class error at a label that no box found?); in order of
            image, then falling confidence.
        labels: image, class_id, x1, y1, x2, y2 (pixels), outcome (found, missed, or mistaken: not found, but there is a
            location or class error at it); in the order of Statistics.targets.
    """

    predictions: pd.DataFrame
    labels: pd.DataFrame

    def counts(self) -> dict[ErrorKind, int]:
        """Number of errors of each kind, in the order of ERROR_KINDS."""
        outcomes = pd.concat([self.predictions["outcome"], self.labels["outcome"]])
        return {kind: int((outcomes == kind).sum()) for kind in ERROR_KINDS}


def classify(statistics: Statistics, confidence: float = 0.0) -> ClassifiedBoxes:
    """Find the kind of every predicted box, and what became of every label.

    Only predictions that have a box are looked at: the BOXES_AN_IMAGE most confident of each image.

    Args:
        statistics: of one model.
        confidence: less confident predictions are left out. To count errors and to draw them, pass the confidence to
            deploy with (MetricsRecord.confidence): at 0, nearly all predictions are background errors that nobody
            would see. Costs in AP (`ErrorCosts`) are of all predictions, as AP is.
    """
    predictions = statistics.predicted_boxes().drop(columns="tp_50")
    predictions = predictions[predictions["confidence"] >= confidence].reset_index(drop=True)
    labels = statistics.targets.reset_index(drop=True)
    outcome, label = _judge_all(predictions, labels, len(statistics.images))
    predictions = predictions.assign(outcome=np.array(OUTCOMES)[outcome], label=label)

    found = np.zeros(len(labels), dtype=bool)
    found[label[outcome == OUTCOMES.index(TRUE_POSITIVE)]] = True
    mistakes = predictions[predictions["outcome"].isin(("location", "class"))]
    mistakes = mistakes[~found[mistakes["label"]]].drop_duplicates("label")  # keeps the first, the most confident
    label_outcome = np.where(found, "found", "missed").astype(object)
    label_outcome[mistakes["label"]] = "mistaken"
    return ClassifiedBoxes(
        predictions=predictions.assign(would_find=predictions.index.isin(mistakes.index)),
        labels=labels.assign(outcome=label_outcome),
    )


def _judge_all(predictions: pd.DataFrame, labels: pd.DataFrame, images: int) -> tuple[Indices, Indices]:
    """Position in OUTCOMES and row in labels (or -1) of every prediction, image by image."""
    corners, label_corners = predictions[list(CORNERS)].to_numpy(np.float64), labels[list(CORNERS)].to_numpy(np.float64)
    classes, label_classes = predictions["class_id"].to_numpy(), labels["class_id"].to_numpy()
    outcome = np.full(len(predictions), OUTCOMES.index("background"))
    label = np.full(len(predictions), -1)
    for rows, label_rows in zip(_by_image(predictions, images), _by_image(labels, images), strict=True):
        if rows.size and label_rows.size:
            overlaps = _overlaps(corners[rows], label_corners[label_rows])
            outcome[rows], nearest = _judge(overlaps, classes[rows, None] == label_classes[label_rows])
            label[rows] = np.where(nearest >= 0, label_rows[nearest], -1)
    return outcome, label


def _judge(overlaps: FloatArray, same_class: npt.NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Position in OUTCOMES and label (or -1) of each prediction on one image.

    Args:
        overlaps: IoU by prediction, in order of falling confidence, and label.
        same_class: do they have the same class?
    """
    own, other = overlaps * same_class, overlaps * ~same_class
    own_overlap, other_overlap = own.max(1), other.max(1)
    found, nearest, nearest_other = _match(own), own.argmax(1), other.argmax(1)
    cases = {
        TRUE_POSITIVE: (found >= 0, found),
        "location": ((own_overlap >= BACKGROUND) & (own_overlap <= FOREGROUND), nearest),
        "class": (other_overlap >= FOREGROUND, nearest_other),
        # Over the threshold and no true positive: all labels of its class that it lies on are found.
        "duplicate": (own_overlap > FOREGROUND, nearest),
        "background": (np.maximum(own_overlap, other_overlap) <= BACKGROUND, np.full_like(found, -1)),
    }
    conditions = [condition for condition, _ in cases.values()]
    outcome = np.select(conditions, [np.int64(OUTCOMES.index(name)) for name in cases], OUTCOMES.index("both"))
    return outcome, np.select(conditions, [label for _, label in cases.values()], -1)


def _match(own: FloatArray) -> Indices:
    """The label that each prediction finds, or -1.

    Args:
        own: IoU by prediction, in order of falling confidence, and label; 0 if their classes differ.
    """
    free, found = own.copy(), np.full(len(own), -1)
    for row in np.flatnonzero(own.max(1) >= FOREGROUND):
        label = free[row].argmax()
        if free[row, label] >= FOREGROUND:
            found[row] = label
            free[:, label] = 0
    return found


def _overlaps(boxes: FloatArray, labels: FloatArray) -> FloatArray:
    """IoU of n boxes with m labels, all xyxy; shape (n, m)."""
    low = np.maximum(boxes[:, None, :2], labels[:, :2])
    high = np.minimum(boxes[:, None, 2:], labels[:, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas, label_areas = ((xyxy[:, 2:] - xyxy[:, :2]).prod(1) for xyxy in (boxes, labels))
    union = areas[:, None] + label_areas - shared
    overlaps: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def _by_image(table: pd.DataFrame, images: int) -> list[Indices]:
    """Row numbers of each image's rows, in their order."""
    image = table["image"].to_numpy()
    order = np.argsort(image, kind="stable")
    return np.split(order, np.searchsorted(image[order], np.arange(1, images)))
