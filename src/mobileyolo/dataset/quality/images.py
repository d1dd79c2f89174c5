"""Which images teach little: how they look, going by their thumbnails, and what is labelled in them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mobileyolo.dataset.kinds import Audited, Kind, at_least, at_most
from mobileyolo.dataset.quality.rows import judged_boxes, readable_images


def _brightness(audited: Audited) -> pd.Series:
    return readable_images(audited)["brightness"].reindex(audited.images.index)


def _longer_by_shorter_side(audited: Audited) -> pd.Series:
    sides = readable_images(audited)[["width", "height"]]
    return (sides.max(axis=1) / sides.min(axis=1)).reindex(audited.images.index)


def _boxes(audited: Audited) -> pd.Series:
    """Boxes of each image that has a label file; that one has none is a fault."""
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
        remedy="label what these images show, or leave out those with nothing to learn from",
        shown="{value:.0f} boxes from {lines} label lines",
        context=_lines,
    ),
    Kind(
        name="crowded_image",
        table="images",
        measure=_boxes,
        accepts=at_most,
        description="No image shows more than {limit:g} objects, as many as a detector is asked for.",
        remedy="cut the image into tiles, or raise evaluate.max_det: what lies beyond it can't be found",
        shown="{value:.0f} boxes",
    ),
    Kind(
        name="long_image",
        table="images",
        measure=_longer_by_shorter_side,
        accepts=at_most,
        description="No image is more than {limit:g} times as long as it is wide.",
        remedy="cut the image into tiles: it is padded to a square in training, which leaves the objects small",
        shown="{width} x {height} pixels, {value:.3g} to 1",
    ),
    Kind(
        name="dark_image",
        table="images",
        measure=_brightness,
        accepts=at_least,
        description="Every image has a mean brightness of at least {limit:g}, of 1.",
        remedy="check that the objects can be seen; brighten the images or leave them out",
        shown="brightness {value:.2f}",
    ),
    Kind(
        name="bright_image",
        table="images",
        measure=_brightness,
        accepts=at_most,
        description="Every image has a mean brightness of at most {limit:g}, of 1.",
        remedy="check that the objects can be seen; leave over-exposed images out",
        shown="brightness {value:.2f}",
    ),
    Kind(
        name="blurred_image",
        table="images",
        measure=lambda audited: readable_images(audited)["sharpness"].reindex(audited.images.index),
        accepts=at_least,
        description="Every image has edges at thumbnail size: a sharpness of at least {limit:g}.",
        remedy="check that the objects' edges can be seen; leave blurred images out, unless blur is what you expect",
        shown="sharpness {value:.2f}",
    ),
    Kind(
        name="blank_image",
        table="images",
        measure=lambda audited: readable_images(audited)["contrast"].reindex(audited.images.index),
        accepts=at_least,
        description="Every image shows something: its grey levels spread by at least {limit:g}, of 1.",
        remedy="check that the file holds what it should, or leave it out",
        shown="contrast {value:.3f}",
    ),
)
