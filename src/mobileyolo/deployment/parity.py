"""Does an exported model find what the original finds? Pure: outputs of both -> differences. No files, no engines.

Two things are compared on the same images:

- The network's outputs, anchor by anchor. They must not differ by more than a bound. What comes after them is the same
  code for every engine.
- The boxes after non-maximum suppression. They are paired, and for each box without a partner the other model must have
  a box that suppression could have kept. Without that second chance, correct exports would fail: where two boxes or two
  classes are equally good, or a confidence is at the threshold, a difference within the bounds decides which one stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobileyolo.core.files import Record

Array = npt.NDArray[np.float32]

# Engines add the same numbers in a different order. Measured with yolo11n and mnv1_n, trained on BCCD at 320 px: in
# single precision no output moved by more than 0.005 px and 0.00001; in half precision (float16 in ONNX Runtime) some
# moved by 1.4 to 3.5 px and 0.002 to 0.016. The bounds lie between the two. A wrong layer or layout does far more.
BOX_BOUND_PX = 0.1
CONFIDENCE_BOUND = 0.001
# Ultralytics' own thresholds for predictions.
CONFIDENCE = 0.25
NMS_IOU = 0.7
# Lowest IoU of a box and its partner. Less than NMS_IOU, so that a box can be paired with the one that suppressed it.
MATCH_IOU = 0.5


@dataclass(frozen=True)
class ImageOutput:
    """What a model found in one image.

    Attributes:
        output: (4 + classes, anchors): xywh in pixels of the network's input, confidences in [0, 1].
        boxes: (n, 6) after suppression: xyxy in pixels of the network's input, confidence, class.
        possible: likewise, but with boxes of every class instead of the best only, and down to the confidence that a
            difference within the bounds could lift above the threshold.
    """

    output: Array
    boxes: Array
    possible: Array


class Parity(Record):
    """Largest differences between two models over all images; pixels are those of the network's input."""

    output_box_px: float
    output_confidence: float
    boxes: int  # of the original, above CONFIDENCE
    unmatched: int  # boxes of either model without a partner
    box_px: float  # between partners; may exceed the bound if suppression kept different boxes of two equally good ones
    confidence: float  # between partners; likewise

    def failures(self) -> Iterator[str]:
        """A sentence for each bound that is exceeded."""
        # `not <=` instead of `>`, so that NaN fails too.
        if not self.output_box_px <= BOX_BOUND_PX:
            yield f"the network's boxes differ by up to {self.output_box_px:.3g} px, the bound is {BOX_BOUND_PX:g} px"
        if not self.output_confidence <= CONFIDENCE_BOUND:
            yield (
                f"the network's confidences differ by up to {self.output_confidence:.3g}, the bound is "
                f"{CONFIDENCE_BOUND:g}"
            )
        if self.unmatched:
            yield (
                f"{self.unmatched} boxes after suppression, of {self.boxes}, have no partner of the same class with "
                f"an IoU of {MATCH_IOU:g}, the bound is 0"
            )


def measure_parity(original: Sequence[ImageOutput], exported: Sequence[ImageOutput]) -> Parity:
    """Differences between the outputs of two models on the same images."""
    outputs = [np.abs(one.output - other.output) for one, other in zip(original, exported, strict=True)]
    pairs, unmatched = [], 0
    for one, other in zip(original, exported, strict=True):
        matched = match(one.boxes, other.boxes)
        pairs.append(np.abs(one.boxes[matched[:, 0]] - other.boxes[matched[:, 1]]))
        for side, rows, possible in ((one, matched[:, 0], other.possible), (other, matched[:, 1], one.possible)):
            left = np.delete(side.boxes, rows, axis=0)
            unmatched += len(left) - int((_overlap(left, possible) >= MATCH_IOU).any(1).sum())
    differences = np.concatenate(pairs)
    return Parity(
        output_box_px=_largest([difference[:4].max() for difference in outputs]),
        output_confidence=_largest([difference[4:].max() for difference in outputs]),
        boxes=sum(len(one.boxes) for one in original),
        unmatched=unmatched,
        box_px=_largest(differences[:, :4].ravel()),
        confidence=_largest(differences[:, 4]),
    )


def match(first: Array, second: Array) -> npt.NDArray[np.int64]:
    """Pair boxes of the same class, each at most once, beginning with the pair that overlaps most.

    Args:
        first: (n, 6) xyxy, confidence, class.
        second: (m, 6) likewise.

    Returns:
        (k, 2) row numbers in first and second, of pairs with an IoU of at least MATCH_IOU.
    """
    overlap = _overlap(first, second)
    pairs = []
    while overlap.size and overlap.max() >= MATCH_IOU:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        pairs.append((row, column))
        overlap[row, :] = overlap[:, column] = 0
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def iou(first: Array, second: Array) -> npt.NDArray[np.float64]:
    """Intersection over union of every box (xyxy) in one array with every box in another; shape (n, m)."""
    one, other = first[:, None, :4].astype(np.float64), second[None, :, :4].astype(np.float64)
    sides = np.maximum(np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2]), 0)
    common = sides.prod(-1)
    union = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1) - common
    ratio: npt.NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ratio


def _overlap(first: Array, second: Array) -> npt.NDArray[np.float64]:
    """Intersection over union, 0 between boxes of different classes; shape (n, m)."""
    return np.where(first[:, None, 5] == second[None, :, 5], iou(first, second), 0)


def _largest(values: Sequence[np.float32] | Array) -> float:
    """The largest difference, to six digits; 0 if there is none, NaN if one of them is NaN."""
    return round(float(np.max(values, initial=0)), 6)
