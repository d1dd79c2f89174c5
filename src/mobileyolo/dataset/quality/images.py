"""Images from which a model learns little, judged by their thumbnails and labels."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mobileyolo.dataset.finding_kinds import Audited, Kind, at_least, at_most
from mobileyolo.dataset.quality.rows import judged_boxes, readable_images


def _brightness(audited: Audited) -> pd.Series:
    return readable_images(audited)["brightness"].reindex(audited.images.index)


def _longer_by_shorter_side(audited: Audited) -> pd.Series:
    sides = readable_images(audited)[["width", "height"]]
    return (sides.max(axis=1) / sides.min(axis=1)).reindex(audited.images.index)


def _boxes(audited: Audited) -> pd.Series:
    """Number of boxes of each image that has a label file; a missing label file is a fault of its own."""
    images = readable_images(audited)
    labelled = images.loc[images["label_exists"].astype(bool), "image"]
    counts = judged_boxes(audited)["image"].value_counts()
    return counts.reindex(labelled).set_axis(labelled.index).fillna(0).astype("float64").reindex(audited.images.index)


def _lines(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    counts = audited.boxes["image"].value_counts()
    return {"lines": audited.images.loc[rows, "image"].map(counts).fillna(0).astype("int64")}


IMAGE_KINDS = (
    Kind(
        name="background_image",
        table="images",
        measure=_boxes,
        accepts=at_least,
        description="Every image shows at least {limit:g} objects.",
        remedy="label the objects in these images; if there are none, keep only as many such images as are useful",
        shown="{value:.0f} boxes from {lines} label lines",
        context=_lines,
    ),
    Kind(
        name="crowded_image",
        table="images",
        measure=_boxes,
        accepts=at_most,
        description="No image shows more than {limit:g} objects, the most that a detector returns.",
        remedy="cut the image into tiles, or raise evaluate.max_det: objects beyond that number can't be found",
        shown="{value:.0f} boxes",
    ),
    Kind(
        name="long_image",
        table="images",
        measure=_longer_by_shorter_side,
        accepts=at_most,
        description="No image is more than {limit:g} times as long as it is wide.",
        remedy="cut the image into tiles: training pads it to a square, which makes the objects small",
        shown="{width} x {height} pixels, {value:.3g} to 1",
    ),
    Kind(
        name="dark_image",
        table="images",
        measure=_brightness,
        accepts=at_least,
        description="Every image has a mean brightness of at least {limit:g}, on a scale from 0 to 1.",
        remedy="check that the objects can be seen; brighten the images or leave them out",
        shown="brightness {value:.2f}",
    ),
    Kind(
        name="bright_image",
        table="images",
        measure=_brightness,
        accepts=at_most,
        description="Every image has a mean brightness of at most {limit:g}, on a scale from 0 to 1.",
        remedy="check that the objects can be seen; leave over-exposed images out",
        shown="brightness {value:.2f}",
    ),
    Kind(
        name="blurred_image",
        table="images",
        measure=lambda audited: readable_images(audited)["sharpness"].reindex(audited.images.index),
        accepts=at_least,
        description="Every image has edges at thumbnail size: a sharpness of at least {limit:g}.",
        remedy="check that the objects' edges can be seen; leave blurred images out unless you expect blur",
        shown="sharpness {value:.2f}",
    ),
    Kind(
        name="blank_image",
        table="images",
        measure=lambda audited: readable_images(audited)["contrast"].reindex(audited.images.index),
        accepts=at_least,
        description="Every image shows something: the standard deviation of its grey levels is at least {limit:g}.",
        remedy="check that the file is the right image, or leave it out",
        shown="contrast {value:.3f}",
    ),
)
