"""What a kind of finding is. The kinds themselves: faults.py for what is wrong, quality/ for what may lower mAP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from mobileyolo.core.files import NONE
from mobileyolo.core.records import Split
from mobileyolo.dataset.reading import RawDataset

TableName = Literal["splits", "classes", "labels", "images", "boxes"]


class FaqLine(StrEnum):
    """The causes of a low mAP that tutorials list at their end, in English and Chinese; each finding names one."""

    UNIFORM = "the data is too uniform (数据单一)"
    UNBALANCED = "the samples are unbalanced (样本不均衡)"
    FEW_SCENES = "too few scenes to generalise from (场景太少)"
    LOOSE_BOXES = "the boxes do not fit their objects (标注框不贴合)"
    TINY_OBJECTS = "the objects are tiny (目标太小)"
    DATA = "something else is wrong with the data (数据集本身有问题)"


class Audited:
    """The tables that kinds of finding judge, all derived from the dataset as it was read.

    splits: split, images, readable, labelled (those readable ones that have a label file), absent (why the split is not
        used, or missing). One row for each split that the dataset has, needs or declares.
    classes: split, class_id, name, boxes, images. One row for every split that the dataset has and every class.
    labels: label (path), has_image. One row for each label file.
    images: as `RawDataset.images`.
    boxes: as `RawDataset.boxes`, with the image's split (the first of its splits), width and height (pixels).
    """

    def __init__(self, data: RawDataset, slack: float, group: str = NONE) -> None:
        """Take a dataset.

        Args:
            data: The dataset as it was read.
            slack: By which share of an image's side a box may reach beyond it.
            group: What ties images together, as for `scenes.groups_of`.
        """
        self.data = data
        self.slack = slack
        self.group = group

    def table(self, name: TableName) -> pd.DataFrame:
        """The table of that name."""
        table: pd.DataFrame = getattr(self, name)
        return table

    @property
    def images(self) -> pd.DataFrame:
        """All images."""
        return self.data.images

    @cached_property
    def splits(self) -> pd.DataFrame:
        """Train, val, and test if it is declared."""
        declared = {*self.data.splits, *self.data.absent}
        splits: list[Split] = ["train", "val", *(("test",) if "test" in declared else ())]
        readable = self.images["read_error"].isna()
        labelled = readable & (self.images["label_exists"] | self.images["image"].isin(list(self.data.ambiguous)))
        counted = pd.DataFrame({"images": 1, "readable": readable, "labelled": labelled}).astype("int64")
        table = counted.groupby(self.images["split"]).sum().reindex(splits, fill_value=0).reset_index(names="split")
        return table.assign(absent=table["split"].map(dict(self.data.absent)))

    @cached_property
    def labels(self) -> pd.DataFrame:
        """Label files, those of images first."""
        own = self.images.loc[self.images["label_exists"], "label"].drop_duplicates()
        paths = [*own, *self.data.orphans]
        return pd.DataFrame({"label": paths, "has_image": np.arange(len(paths)) < len(own)})

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """All label lines, with what is known of their image."""
        columns = self.images.drop_duplicates("image").set_index("image")[["split", "width", "height"]]
        return self.data.boxes.join(columns, on="image")

    @cached_property
    def sound_boxes(self) -> pd.Series:
        """Can the box be judged: parsed, of a named class, with a size, not a duplicate, in a readable image?"""
        boxes = self.boxes
        named = boxes["class_id"].between(0, len(self.data.names) - 1)
        sized = (boxes[["w", "h"]].min(axis=1) > 0) & (boxes["width"] > 0)
        return (
            named & sized & shares(boxes, self.slack) & inside(boxes, self.slack) & ~boxes.duplicated(["image", "key"])
        )

    @cached_property
    def classes(self) -> pd.DataFrame:
        """How often each split shows each class; an image in two splits counts in both."""
        sound = self.boxes.loc[self.sound_boxes, ["image", "class_id"]].astype({"class_id": "int64"})
        grouped = sound.merge(self.images[["image", "split"]], on="image").groupby(["split", "class_id"])["image"]
        index = pd.MultiIndex.from_product([self.data.splits, range(len(self.data.names))], names=["split", "class_id"])
        counts = pd.DataFrame({"boxes": grouped.size(), "images": grouped.nunique()})
        table = counts.reindex(index, fill_value=0).astype("int64").reset_index()
        return table.assign(name=list(self.data.names) * len(self.data.splits))


def shares(boxes: pd.DataFrame, slack: float) -> pd.Series:
    """Can the numbers of boxes be shares of an image's sides? The sign of a size doesn't matter."""
    centres, sizes = boxes[["x", "y"]], boxes[["w", "h"]].abs()
    return (centres >= -slack).all(axis=1) & (centres <= 1 + slack).all(axis=1) & (sizes <= 1 + slack).all(axis=1)


def inside(boxes: pd.DataFrame, slack: float) -> pd.Series:
    """Do the boxes reach beyond their image by at most a share of its sides?"""
    within = pd.Series(True, index=boxes.index)
    for centre, size in (("x", "w"), ("y", "h")):
        half = boxes[size] / 2
        within &= (boxes[centre] - half >= -slack) & (boxes[centre] + half <= 1 + slack)
    return within


@dataclass(frozen=True)
class Accepted:
    """The values that are fine: from low to high, where None is no bound.

    none_at_all: no value is fine; a row that has one offends.
    box_slack: instead of values, boxes (columns x, y, w, h) are judged: they may reach beyond their image by this share
        of its sides.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None  # low, itself excluded
    none_at_all: bool = False
    box_slack: float | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of finding: what is measured of each row of a table, and which values are fine.

    measure: the value of each row, on the table's index; NaN where another fault leaves nothing to judge. Such rows are
        not counted.
    accepts: the values that are fine, given the dataset and the kind's limit from params.yaml (0 if it has none).
    description: what is expected; {limit} stands for the limit.
    shown: text for an offending row, with its columns, `value` (as measured) and the columns of `context` filled in.
    """

    name: str
    table: TableName
    measure: Callable[[Audited], pd.Series]
    accepts: Callable[[Audited, float], Accepted]
    description: str
    remedy: str
    shown: str
    drops: bool = False  # are offending rows left out of the manifest?
    faq: FaqLine = FaqLine.DATA
    context: Callable[[Audited, pd.Index], Mapping[str, pd.Series]] = lambda _audited, _rows: {}


def nothing(_audited: Audited, _limit: float) -> Accepted:
    """A row that has a value at all offends."""
    return Accepted(none_at_all=True)


def at_least(_audited: Audited, limit: float) -> Accepted:
    """Values under the limit offend."""
    return Accepted(low=limit)


def at_most(_audited: Audited, limit: float) -> Accepted:
    """Values over the limit offend."""
    return Accepted(high=limit)
