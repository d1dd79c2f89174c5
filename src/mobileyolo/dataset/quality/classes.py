"""Classes that a dataset shows too rarely."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mobileyolo.dataset.finding_kinds import Audited, FaqLine, Kind, at_least
from mobileyolo.dataset.quality.rows import judged_boxes


def _shown_in_train(audited: Audited) -> pd.DataFrame:
    """Classes with a box in the training split; a class without any is another finding."""
    return audited.classes[(audited.classes["split"] == "train") & (audited.classes["boxes"] > 0)]


def _against_the_most_frequent(audited: Audited) -> pd.Series:
    boxes = _shown_in_train(audited)["boxes"].astype("float64")
    ratio: pd.Series = boxes / boxes.max()
    return ratio.reindex(audited.classes.index)


def _most_frequent(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    shown = _shown_in_train(audited)
    first = shown["boxes"].to_numpy().argmax()
    return {
        "most_name": pd.Series(shown["name"].to_numpy()[first], index=rows),
        "most_boxes": pd.Series(shown["boxes"].to_numpy()[first], index=rows),
        **_example(audited, rows),
    }


def _elsewhere(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    """Boxes of the class in the other splits."""
    boxes = audited.classes["boxes"]
    total = boxes.groupby(audited.classes["class_id"]).transform("sum")
    return {"elsewhere": (total - boxes).loc[rows], **_example(audited, rows)}


def _example(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    """A box of the class and its image, from the training split if it has one."""
    first = judged_boxes(audited).drop_duplicates("class_id").set_index("class_id")
    class_ids = audited.classes.loc[rows, "class_id"]
    return {column: class_ids.map(first[column].astype(object)) for column in ("image", "x", "y", "w", "h")}


CLASS_KINDS = (
    Kind(
        name="missing_class",
        table="classes",
        measure=lambda audited: audited.classes["boxes"].astype("float64"),
        accepts=at_least,
        description="Every split has boxes of every class, at least {limit:g} of each.",
        remedy="move images between the splits so that each shows every class, or remove the class from the names",
        shown="{boxes} boxes in {split}, {elsewhere} in the other splits",
        faq=FaqLine.UNBALANCED,
        context=_elsewhere,
    ),
    Kind(
        name="scarce_class",
        table="classes",
        measure=lambda audited: _shown_in_train(audited)["images"].astype("float64").reindex(audited.classes.index),
        accepts=at_least,
        description="Every class is in at least {limit:g} training images.",
        remedy="label more images that show the class, or start from a detector's weights (init.detector)",
        shown="{boxes} boxes in {images} training images",
        faq=FaqLine.UNBALANCED,
        context=_example,
    ),
    Kind(
        name="rare_class",
        table="classes",
        measure=_against_the_most_frequent,
        accepts=at_least,
        description="Every class has at least {limit:g} times as many training boxes as the most frequent class.",
        remedy="label more images that show the class; every class has the same weight in mAP",
        shown="{boxes} boxes, {value:.2g} of the {most_boxes} of {most_name}",
        faq=FaqLine.UNBALANCED,
        context=_most_frequent,
    ),
)
