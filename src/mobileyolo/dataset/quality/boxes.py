"""Boxes of a size, shape or place that may lower mAP. Only their numbers are judged, not the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from mobileyolo.dataset.finding_kinds import Audited, FaqLine, Kind, at_least, at_most
from mobileyolo.dataset.quality.overlaps import closest_earlier_boxes
from mobileyolo.dataset.quality.rows import judged_boxes

FEWEST_TO_COMPARE = 30  # boxes of a class; with fewer, nobody knows what is usual for it
CUT_OFF = 1.0  # pixels; the object of a box nearer to the border may continue beyond it
Context = Mapping[str, pd.Series]
Property = Callable[[pd.DataFrame], pd.Series]


def _of_each_box(measure: Property) -> Callable[[Audited], pd.Series]:
    """Extend a measure of judged boxes to all rows; NaN for the others."""

    def column(audited: Audited) -> pd.Series:
        return measure(judged_boxes(audited)).reindex(audited.boxes.index)

    return column


def side(boxes: pd.DataFrame) -> pd.Series:
    """Square root of the share of the image's area, in (0, 1]; for a square box in a square image, side / side."""
    return (boxes["w"] * boxes["h"]).pow(0.5)


def _shape(boxes: pd.DataFrame) -> pd.Series:
    """Width / height, both in pixels."""
    return (boxes["w"] * boxes["width"]) / (boxes["h"] * boxes["height"])


def _elongation(boxes: pd.DataFrame) -> pd.Series:
    shape = _shape(boxes)
    return shape.where(shape >= 1, 1 / shape)


def _gaps(boxes: pd.DataFrame) -> pd.DataFrame:
    """Pixels between each edge and the image's border on that side; negative outside of the image."""
    return pd.DataFrame(
        {
            "left": (boxes["x"] - boxes["w"] / 2) * boxes["width"],
            "top": (boxes["y"] - boxes["h"] / 2) * boxes["height"],
            "right": (1 - boxes["x"] - boxes["w"] / 2) * boxes["width"],
            "bottom": (1 - boxes["y"] - boxes["h"] / 2) * boxes["height"],
        }
    )


def _whole(boxes: pd.DataFrame) -> pd.DataFrame:
    """Boxes that the image's border doesn't cut off; those would look odd although they are right."""
    return boxes[_gaps(boxes).min(axis=1) >= CUT_OFF]


def _oddness(of: Property, boxes: pd.DataFrame) -> pd.Series:
    """How far a property is from what is usual for the class, in either direction.

    The modified z-score of its logarithm (Iglewicz & Hoaglin 1993): 0.6745 * |x - median| / median absolute deviation.
    Unlike mean and standard deviation, outliers hardly change it.
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
    """The box's own property, and the median of its class."""
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
    """The earlier box that a box overlaps most, and the classes of both."""
    boxes = judged_boxes(audited)
    alike = boxes[boxes["image"].isin(boxes.loc[rows, "image"])]
    closest = closest_earlier_boxes(alike, same_class=same_class).loc[rows]
    names = pd.Series(audited.data.names)
    return {
        "name": boxes.loc[rows, "class_id"].map(names),
        "other_line": closest["other_line"],
        "other_name": closest["other_class"].map(names),
    }


def _rarer_form(audited: Audited) -> pd.Series:
    """Number of boxes or of polygons in the label file, whichever is smaller."""
    forms = _forms(audited)
    return forms.min(axis=1).where(audited.labels["has_image"])


def _forms(audited: Audited) -> pd.DataFrame:
    """Number of boxes and of polygons in each label file."""
    parsed = audited.boxes[audited.boxes["parse_error"].isna()].drop_duplicates(
        ["label", "line"]
    )  # two images may share a file
    polygon = (parsed["points"] > 0).groupby(parsed["label"])
    counts = pd.DataFrame({"polygons": polygon.sum(), "plain": polygon.size() - polygon.sum()})
    return counts.reindex(audited.labels["label"], fill_value=0).set_axis(audited.labels.index).astype("float64")


def _both_forms(audited: Audited, rows: pd.Index) -> Context:
    forms = _forms(audited).loc[rows]
    return {"plain": forms["plain"], "polygons": forms["polygons"]}


BOX_KINDS = (
    Kind(
        name="tiny_box",
        table="boxes",
        measure=_of_each_box(side),
        accepts=at_least,
        description="No box is smaller than {limit:g} of its image: the square root of its share of the area.",
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
        remedy="draw the box around the object; close-ups teach little about where objects are",
        shown="{across:.0f} x {down:.0f} of {width:.0f} x {height:.0f} pixels, {percent:.3g} % of the image",
        faq=FaqLine.LOOSE_BOXES,
        context=_in_pixels,
    ),
    Kind(
        name="box_at_border",
        table="boxes",
        measure=_of_each_box(lambda boxes: _gaps(boxes).min(axis=1)),
        accepts=at_least,
        description="Every box is at least {limit:g} pixels from its image's borders, so the whole object is visible.",
        remedy="check that boxes aren't cut off; let tiles overlap by the size of an object",
        shown="touches the {border} border",
        context=_nearest_border,
    ),
    Kind(
        name="elongated_box",
        table="boxes",
        measure=_of_each_box(_elongation),
        accepts=at_most,
        description="No box is more than {limit:g} times as long as it is wide, in pixels.",
        remedy="check that the box is of one object; split long objects into several boxes",
        shown="{across:.0f} x {down:.0f} pixels, {value:.3g} to 1",
        faq=FaqLine.LOOSE_BOXES,
        context=_in_pixels,
    ),
    Kind(
        name="odd_size_for_class",
        table="boxes",
        measure=_of_each_box(partial(_oddness, side)),
        accepts=at_most,
        description="No box's size is farther than {limit:g} modified z-scores from its class's median. "
        "Boxes are compared with their class; the picture isn't looked at.",
        remedy="check that the box fits its object, neither too loose nor too tight, and that the class is right",
        shown="{across:.0f} x {down:.0f} pixels, {times:.3g} times as long and as wide as usual for {name} "
        "(z {value:.1f})",
        faq=FaqLine.LOOSE_BOXES,
        context=partial(_usual, side),
    ),
    Kind(
        name="odd_shape_for_class",
        table="boxes",
        measure=_of_each_box(partial(_oddness, _shape)),
        accepts=at_most,
        description="No box's aspect ratio is farther than {limit:g} modified z-scores from its class's median. "
        "Boxes are compared with their class; the picture isn't looked at.",
        remedy="check that the box fits its object, neither too loose nor too tight, and that the class is right",
        shown="width / height {own:.3g}, usual for {name} is {usual:.3g} (z {value:.1f})",
        faq=FaqLine.LOOSE_BOXES,
        context=partial(_usual, _shape),
    ),
    Kind(
        name="overlapping_box",
        table="boxes",
        measure=_of_each_box(lambda boxes: closest_earlier_boxes(boxes, same_class=True)["iou"]),
        accepts=at_most,
        description="No two boxes of a class overlap with an IoU over {limit:g}.",
        remedy="delete one of the boxes if both show the same object",
        shown="IoU {value:.2f} with line {other_line}, both {name}",
        faq=FaqLine.LOOSE_BOXES,
        context=partial(_closest, same_class=True),
    ),
    Kind(
        name="contested_box",
        table="boxes",
        measure=_of_each_box(lambda boxes: closest_earlier_boxes(boxes, same_class=False)["iou"]),
        accepts=at_most,
        description="No two boxes of different classes overlap with an IoU over {limit:g}.",
        remedy="decide which class the object has, and delete the other box",
        shown="{name}, IoU {value:.2f} with line {other_line}, {other_name}",
        context=partial(_closest, same_class=False),
    ),
    Kind(
        name="mixed_label_file",
        table="labels",
        measure=_rarer_form,
        accepts=at_most,
        description="No label file mixes boxes and polygons: at most {limit:g} lines of the rarer kind.",
        remedy="convert the polygons to boxes; Ultralytics 8.4 itself ignores the whole file, here it is read",
        shown="{plain:.0f} boxes and {polygons:.0f} polygons",
        context=_both_forms,
    ),
)
