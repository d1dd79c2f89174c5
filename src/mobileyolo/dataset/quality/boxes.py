"""Which boxes are of an unwise size, shape or place, judged by their numbers alone: the picture isn't looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from mobileyolo.dataset.kinds import Audited, FaqLine, Kind, at_least, at_most
from mobileyolo.dataset.quality.overlaps import closest_earlier_boxes
from mobileyolo.dataset.quality.rows import judged_boxes

FEWEST_TO_COMPARE = 30  # boxes of a class; with fewer, what is usual for it is a guess
CUT_OFF = 1.0  # pixels; a box nearer to the border may go on beyond it
Context = Mapping[str, pd.Series]
Property = Callable[[pd.DataFrame], pd.Series]


def _of_each_box(measure: Property) -> Callable[[Audited], pd.Series]:
    """A measure of judged boxes as one of all rows."""

    def column(audited: Audited) -> pd.Series:
        return measure(judged_boxes(audited)).reindex(audited.boxes.index)

    return column


def side(boxes: pd.DataFrame) -> pd.Series:
    """Root of the share of the image's area, in (0, 1]: of a square box in a square image, the share of its side."""
    return (boxes["w"] * boxes["h"]).pow(0.5)


def _shape(boxes: pd.DataFrame) -> pd.Series:
    """Width by height, in pixels."""
    return (boxes["w"] * boxes["width"]) / (boxes["h"] * boxes["height"])


def _elongation(boxes: pd.DataFrame) -> pd.Series:
    shape = _shape(boxes)
    return shape.where(shape >= 1, 1 / shape)


def _gaps(boxes: pd.DataFrame) -> pd.DataFrame:
    """Pixels between each edge and its border of the image, negative outside of it."""
    return pd.DataFrame(
        {
            "left": (boxes["x"] - boxes["w"] / 2) * boxes["width"],
            "top": (boxes["y"] - boxes["h"] / 2) * boxes["height"],
            "right": (1 - boxes["x"] - boxes["w"] / 2) * boxes["width"],
            "bottom": (1 - boxes["y"] - boxes["h"] / 2) * boxes["height"],
        }
    )


def _whole(boxes: pd.DataFrame) -> pd.DataFrame:
    """Boxes that the image's border doesn't cut off, which would leave them odd for no fault of theirs."""
    return boxes[_gaps(boxes).min(axis=1) >= CUT_OFF]


def _oddness(of: Property, boxes: pd.DataFrame) -> pd.Series:
    """How far a property is from what is usual for the class, either way.

    The modified z-score of its logarithm (Iglewicz & Hoaglin 1993: 0.6745 times the distance from the median, in
    median absolute deviations), which outliers themselves hardly move.
    """
    boxes = _whole(boxes)
    logarithm = pd.Series(np.log(of(boxes)), index=boxes.index)
    class_id = boxes["class_id"]
    distance = logarithm - logarithm.groupby(class_id).transform("median")
    deviation = distance.abs().groupby(class_id).transform("median")
    comparable = (class_id.map(class_id.value_counts()) >= FEWEST_TO_COMPARE) & (deviation > 0)
    return (0.6745 * distance.abs() / deviation).where(comparable)


def _in_pixels(audited: Audited, rows: pd.Index) -> Context:
    boxes = audited.boxes.loc[rows]
    return {
        "across": boxes["w"] * boxes["width"],
        "down": boxes["h"] * boxes["height"],
        "percent": boxes["w"] * boxes["h"] * 100,
    }


def _nearest_border(audited: Audited, rows: pd.Index) -> Context:
    return {"border": _gaps(audited.boxes.loc[rows]).idxmin(axis=1)}


def _usual(of: Property, audited: Audited, rows: pd.Index) -> Context:
    """What the box has and what is usual for its class."""
    boxes = _whole(judged_boxes(audited))
    own, names = of(boxes), pd.Series(audited.data.names)
    usual = own.groupby(boxes["class_id"]).transform("median")
    return {
        "name": boxes.loc[rows, "class_id"].map(names),
        "own": own.loc[rows],
        "usual": usual.loc[rows],
        "times": (own / usual).loc[rows],
        **_in_pixels(audited, rows),
    }


def _closest(audited: Audited, rows: pd.Index, *, same_class: bool) -> Context:
    """The earlier box that a box lies on, and what both of them show."""
    boxes = judged_boxes(audited)
    alike = boxes[boxes["image"].isin(boxes.loc[rows, "image"])]
    closest = closest_earlier_boxes(alike, same_class=same_class).loc[rows]
    names = pd.Series(audited.data.names)
    return {
        "name": boxes.loc[rows, "class_id"].map(names),
        "other_line": closest["other_line"],
        "other_name": closest["other_class"].map(names),
    }


def _rarer_sort(audited: Audited) -> pd.Series:
    """Lines of the label file that are boxes, or that are polygons: whichever are fewer."""
    sorts = _sorts(audited)
    return sorts.min(axis=1).where(audited.labels["has_image"])


def _sorts(audited: Audited) -> pd.DataFrame:
    """Boxes and polygons of each label file."""
    parsed = audited.boxes[audited.boxes["parse_error"].isna()].drop_duplicates(["label", "line"])  # of two images
    polygon = (parsed["points"] > 0).groupby(parsed["label"])
    counts = pd.DataFrame({"polygons": polygon.sum(), "plain": polygon.size() - polygon.sum()})
    return counts.reindex(audited.labels["label"], fill_value=0).set_axis(audited.labels.index).astype("float64")


def _both_sorts(audited: Audited, rows: pd.Index) -> Context:
    sorts = _sorts(audited).loc[rows]
    return {"plain": sorts["plain"], "polygons": sorts["polygons"]}


BOX_KINDS = (
    Kind(
        name="tiny_box",
        table="boxes",
        measure=_of_each_box(side),
        accepts=at_least,
        description="No box is smaller than {limit:g} of its image: the root of the share of its area.",
        remedy="train at a larger train.imgsz, or cut the images into tiles",
        shown="{across:.0f} x {down:.0f} of {width:.0f} x {height:.0f} pixels, {percent:.3g} % of the image",
        faq=FaqLine.TINY_OBJECTS,
        context=_in_pixels,
    ),
    Kind(
        name="huge_box",
        table="boxes",
        measure=_of_each_box(lambda boxes: boxes["w"] * boxes["h"]),
        accepts=at_most,
        description="No box takes more than {limit:.0%} of its image.",
        remedy="draw the box round the object; pictures of nothing but the object teach little about where it is",
        shown="{across:.0f} x {down:.0f} of {width:.0f} x {height:.0f} pixels, {percent:.3g} % of the image",
        faq=FaqLine.LOOSE_BOXES,
        context=_in_pixels,
    ),
    Kind(
        name="box_at_border",
        table="boxes",
        measure=_of_each_box(lambda boxes: _gaps(boxes).min(axis=1)),
        accepts=at_least,
        description="Every box keeps {limit:g} pixels from its image's borders, so that the object is seen whole.",
        remedy="check that boxes aren't clipped too narrowly; overlap tiles by the size of an object",
        shown="touches the {border} border",
        context=_nearest_border,
    ),
    Kind(
        name="elongated_box",
        table="boxes",
        measure=_of_each_box(_elongation),
        accepts=at_most,
        description="No box is more than {limit:g} times as long as it is wide, in pixels.",
        remedy="check that width and height are of the same object; split long objects into several boxes",
        shown="{across:.0f} x {down:.0f} pixels, {value:.3g} to 1",
        faq=FaqLine.LOOSE_BOXES,
        context=_in_pixels,
    ),
    Kind(
        name="odd_size_for_class",
        table="boxes",
        measure=_of_each_box(partial(_oddness, side)),
        accepts=at_most,
        description="No box's size is further than {limit:g} modified z-scores from its class's median. "
        "This compares boxes with their class; the picture isn't looked at.",
        remedy="check that the box fits its object, neither loose nor tight, and that it is of this class",
        shown="{across:.0f} x {down:.0f} pixels, {times:.3g} times as large each way as is usual for {name} "
        "(z {value:.1f})",
        faq=FaqLine.LOOSE_BOXES,
        context=partial(_usual, side),
    ),
    Kind(
        name="odd_shape_for_class",
        table="boxes",
        measure=_of_each_box(partial(_oddness, _shape)),
        accepts=at_most,
        description="No box's aspect ratio is further than {limit:g} modified z-scores from its class's median. "
        "This compares boxes with their class; the picture isn't looked at.",
        remedy="check that the box fits its object, neither loose nor tight, and that it is of this class",
        shown="{own:.3g} times as wide as high, {usual:.3g} is usual for {name} (z {value:.1f})",
        faq=FaqLine.LOOSE_BOXES,
        context=partial(_usual, _shape),
    ),
    Kind(
        name="overlapping_box",
        table="boxes",
        measure=_of_each_box(lambda boxes: closest_earlier_boxes(boxes, same_class=True)["iou"]),
        accepts=at_most,
        description="No two boxes of a class overlap with an IoU over {limit:g}.",
        remedy="delete one of the boxes if both are of one object",
        shown="IoU {value:.2f} with line {other_line}, {name} both",
        faq=FaqLine.LOOSE_BOXES,
        context=partial(_closest, same_class=True),
    ),
    Kind(
        name="contested_box",
        table="boxes",
        measure=_of_each_box(lambda boxes: closest_earlier_boxes(boxes, same_class=False)["iou"]),
        accepts=at_most,
        description="No two boxes of different classes overlap with an IoU over {limit:g}.",
        remedy="decide which class the object is of, and delete the other box",
        shown="{name}, IoU {value:.2f} with line {other_line}, {other_name}",
        context=partial(_closest, same_class=False),
    ),
    Kind(
        name="mixed_label_file",
        table="labels",
        measure=_rarer_sort,
        accepts=at_most,
        description="No label file mixes boxes and polygons: at most {limit:g} lines of the rarer sort.",
        remedy="convert the polygons to boxes; Ultralytics 8.4 itself ignores such a file whole, here it is read",
        shown="{plain:.0f} boxes and {polygons:.0f} polygons",
        context=_both_sorts,
    ),
)
