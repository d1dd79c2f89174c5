"""Splits that differ from the training split.

A distance that could be chance counts as 0. What chance gives is computed from the number of images, not of boxes,
because the boxes of one image resemble each other. So small splits have to differ more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mobileyolo.core.records import Split
from mobileyolo.dataset.finding_kinds import Audited, FaqLine, Kind, at_most
from mobileyolo.dataset.quality.boxes import side
from mobileyolo.dataset.quality.rows import judged_boxes, readable_images

ALPHA = 0.01  # significance level: how often chance alone gives a larger distance


@dataclass(frozen=True)
class Shift:
    """How a split differs from the training split.

    distance: in [0, 1]. chance: smaller distances may be chance. here, in_train: what differs, in words.
    """

    distance: float
    chance: float
    here: str
    in_train: str


Compare = Callable[[Audited, Split], Shift | None]  # None where either split has nothing to compare


def _distance(compare: Compare) -> Callable[[Audited], pd.Series]:
    def column(audited: Audited) -> pd.Series:
        shifts = [compare(audited, split) if split != "train" else None for split in audited.splits["split"]]
        distances = [
            math.nan if shift is None else shift.distance if shift.distance > shift.chance else 0.0 for shift in shifts
        ]
        return pd.Series(distances, index=audited.splits.index, dtype="float64")

    return column


def _words(compare: Compare) -> Callable[[Audited, pd.Index], Mapping[str, pd.Series]]:
    def context(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
        shifts = [compare(audited, split) for split in audited.splits.loc[rows, "split"]]
        return {
            name: pd.Series([getattr(shift, name) for shift in shifts], index=rows)
            for name in ("chance", "here", "in_train")
        }

    return context


def _classes(audited: Audited, split: Split) -> Shift | None:
    """Total variation distance of the classes' shares: half the sum of the absolute differences."""
    boxes = judged_boxes(audited)
    grouped = boxes.astype({"split": "str"}).groupby(["class_id", "split"])
    counts = grouped.size().unstack("split", fill_value=0)
    if not {split, "train"} <= set(counts.columns):
        return None
    shares = counts / counts.sum()
    images = boxes.groupby("split", observed=True)["image"].nunique()
    spread = 1 / images[split] + 1 / images["train"]
    # The expected distance by chance, plus a bound that one draw in 100 exceeds (McDiarmid's inequality).
    both = counts[[split, "train"]].sum(axis=1) / counts[[split, "train"]].to_numpy().sum()
    chance = np.sqrt(2 / math.pi * both * (1 - both) * spread).sum() / 2 + math.sqrt(math.log(1 / ALPHA) / 2 * spread)
    difference = (shares[split] - shares["train"]).abs()
    most = difference.index[int(difference.to_numpy().argmax())]
    name = audited.data.names[int(most)]
    return Shift(
        distance=float(difference.sum() / 2),
        chance=float(chance),
        here=f"{shares.loc[most, split]:.0%} {name}",
        in_train=f"{shares.loc[most, 'train']:.0%}",
    )


def _kolmogorov_smirnov(values: pd.Series, images: pd.Series, splits: pd.Series, split: Split) -> Shift | None:
    """Largest distance between the cumulative distributions of a split's and the training split's values."""
    here, in_train = splits == split, splits == "train"
    if not here.any() or not in_train.any():
        return None
    spread = 1 / images[here].nunique() + 1 / images[in_train].nunique()
    return Shift(
        distance=_statistic(values[here].to_numpy(), values[in_train].to_numpy()),
        chance=math.sqrt(math.log(2 / ALPHA) / 2 * spread),  # the statistic's critical value in large samples
        here=f"{values[here].median():.2g}",
        in_train=f"{values[in_train].median():.2g}",
    )


def _statistic(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The statistic of scipy's ks_2samp, without its p-value, which would treat the boxes as independent."""
    both = np.sort(np.concatenate([one, other]))  # sorted because searchsorted is then ten times as fast
    cumulative = [np.searchsorted(np.sort(values), both, side="right") / len(values) for values in (one, other)]
    return float(np.abs(cumulative[0] - cumulative[1]).max())


def _sizes(audited: Audited, split: Split) -> Shift | None:
    boxes = judged_boxes(audited)
    return _kolmogorov_smirnov(side(boxes), boxes["image"], boxes["split"], split)


def _brightness(audited: Audited, split: Split) -> Shift | None:
    images = readable_images(audited)
    return _kolmogorov_smirnov(images["brightness"], images["image"], images["split"], split)


SHIFT_KINDS = (
    Kind(
        name="class_shift",
        table="splits",
        measure=_distance(_classes),
        accepts=at_most,
        description="The class shares of every split are within a total variation distance of {limit:g} from "
        "the training split, or the difference may be chance.",
        remedy="assign the images to the splits at random, by scene",
        shown="total variation distance {value:.2f} from train, chance gives up to {chance:.2f}; "
        "{here}, {in_train} in train",
        faq=FaqLine.UNBALANCED,
        context=_words(_classes),
    ),
    Kind(
        name="size_shift",
        table="splits",
        measure=_distance(_sizes),
        accepts=at_most,
        description="The box sizes of every split are within a Kolmogorov-Smirnov distance of {limit:g} from "
        "the training split, or the difference may be chance.",
        remedy="assign the images to the splits at random, by scene",
        shown="Kolmogorov-Smirnov distance {value:.2f} from train, chance gives up to {chance:.2f}; the median box is "
        "{here} of its image's side, {in_train} in train",
        context=_words(_sizes),
    ),
    Kind(
        name="brightness_shift",
        table="splits",
        measure=_distance(_brightness),
        accepts=at_most,
        description="The brightness of every split is within a Kolmogorov-Smirnov distance of {limit:g} from "
        "the training split, or the difference may be chance.",
        remedy="assign the images to the splits at random, by scene; or train with a larger train.hsv_v",
        shown="Kolmogorov-Smirnov distance {value:.2f} from train, chance gives up to {chance:.2f}; the median "
        "brightness is {here}, {in_train} in train",
        context=_words(_brightness),
    ),
)
