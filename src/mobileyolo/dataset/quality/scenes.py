"""Which images show nearly the same as others, and how many scenes that leaves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from mobileyolo.dataset.kinds import Accepted, Audited, FaqLine, Kind, at_least
from mobileyolo.dataset.quality.rows import readable_images
from mobileyolo.dataset.similarity import BITS, NEAR, near_duplicate_groups, near_duplicate_pairs

BLANK_CONTRAST = 0.01  # two to three grey levels; what shows less has a perceptual hash of noise, or that of any other


def _farther_than(_audited: Audited, limit: float) -> Accepted:
    return Accepted(above=limit)


def _hashed(audited: Audited) -> pd.DataFrame:
    """Images whose hash says something, in the order of splits and names, with their row and their split's rank."""
    images = readable_images(audited)
    images = images[images["contrast"] >= BLANK_CONTRAST]
    ranks = {split: rank for rank, split in enumerate(audited.data.splits)}
    ranked = images.assign(rank=images["split"].map(ranks).astype("int64"), row=images.index)
    return ranked.sort_values(["rank", "image"]).reset_index(drop=True)


@lru_cache(maxsize=2)  # measured once, and asked again for what the offenders look like
def _twins(audited: Audited, *, across: bool) -> pd.DataFrame:
    """The most similar of the images before each one: those of the splits before its own, or those of its own.

    Returns:
        bits (BITS where none differs in NEAR or fewer) and twin (row of the other image, missing where none), on
        the rows of the images that have a telling hash.
    """
    images = _hashed(audited)
    rank, nobody = images["rank"].to_numpy(), len(images)
    distinct, hash_of = np.unique(images["dhash"].to_numpy(np.uint64), return_inverse=True)
    first = np.full((len(distinct), len(audited.data.splits)), nobody)  # image of each hash in each split
    np.minimum.at(first, (hash_of, rank), np.arange(nobody))

    pair = near_duplicate_pairs(distinct, NEAR)
    itself = np.arange(len(distinct))
    one, other = (np.concatenate([*ends, itself]) for ends in (pair, pair[::-1]))
    bits = np.bitwise_count(distinct[one] ^ distinct[other]).astype(np.int64)

    alone = BITS * (nobody + 1) + nobody  # bits and image in one number, so that the least is the nearest
    nearest = np.full(nobody, alone)
    for split in range(first.shape[1]):
        before = first[:, :split].min(axis=1, initial=nobody) if across else first[:, split]
        known = before[other] < (nobody if across else first[one, split])
        of_hash = np.full(len(distinct), alone)
        np.minimum.at(of_hash, one[known], bits[known] * (nobody + 1) + before[other[known]])
        own = np.flatnonzero(rank == split)
        nearest[own] = of_hash[hash_of[own]]
        if not across:
            again = own[own > before[hash_of[own]]]  # not the first with its hash
            nearest[again] = before[hash_of[again]]
    apart, twin = np.divmod(nearest, nobody + 1)
    rows = pd.Series(images["row"].to_numpy(), dtype="object").reindex(twin)
    return pd.DataFrame({"bits": apart.astype(np.float64), "twin": rows.to_numpy()}, index=images["row"])


def _bits_within_split(audited: Audited) -> pd.Series:
    return _twins(audited, across=False)["bits"].reindex(audited.images.index)


def _bits_across_splits(audited: Audited) -> pd.Series:
    """The same pixels in two splits are a fault, and not judged again."""
    images = _hashed(audited)
    elsewhere = (images.groupby("pixels")["rank"].transform("min") < images["rank"]).set_axis(images["row"])
    return _twins(audited, across=True)["bits"].mask(elsewhere).reindex(audited.images.index)


def _twin(audited: Audited, rows: pd.Index, *, across: bool) -> Mapping[str, pd.Series]:
    twin = audited.images.loc[_twins(audited, across=across).loc[rows, "twin"]].set_axis(rows)
    same = audited.images.loc[rows, "pixels"] == twin["pixels"]
    return {
        "twin": twin["image"],
        "twin_split": twin["split"],
        "sameness": same.map({True: "the same pixels", False: "nearly the same"}),
    }


def _groups(audited: Audited) -> pd.DataFrame:
    """Scenes of each split, near-duplicates being of one: how many, and how many equally frequent ones that is worth.

    The latter is the exponential of the entropy of the scenes' shares (Hill number of order 1, Hill 1973): a scene that
    is there once beside another that is there a thousand times hardly counts.
    """
    images = _hashed(audited)
    rows = {}
    for split, own in images.groupby("split"):
        sizes = np.bincount(near_duplicate_groups(own["dhash"].to_numpy(np.uint64), NEAR))
        shares = sizes / sizes.sum()
        rows[split] = {"scenes": len(sizes), "effective": float(np.exp(-(shares * np.log(shares)).sum()))}
    counts = pd.DataFrame.from_dict(rows, orient="index", columns=["scenes", "effective"])
    return counts.reindex(audited.splits["split"]).set_axis(audited.splits.index)


SCENES = (
    Kind(
        name="few_scenes",
        table="splits",
        measure=lambda audited: _groups(audited)["effective"],
        accepts=at_least,
        description="Every split shows at least {limit:g} scenes, counted as if all were equally frequent.",
        remedy="add images of other places, times, cameras and objects rather than more of the same",
        shown="{scenes:.0f} scenes in {readable} images, worth {value:.1f} equally frequent ones",
        faq=FaqLine.FEW_SCENES,
        context=lambda audited, rows: {"scenes": _groups(audited).loc[rows, "scenes"]},
    ),
    Kind(
        name="near_duplicate_in_split",
        table="images",
        measure=_bits_within_split,
        accepts=_farther_than,
        description="No image looks like another of its split: their perceptual hashes differ in more than {limit:g} "
        "of 64 bits.",
        remedy="keep one of them, or every n-th frame of a video: the others teach little and weigh as much",
        shown="{sameness} as {twin}, {value:.0f} of 64 bits apart",
        faq=FaqLine.UNIFORM,
        context=partial(_twin, across=False),
    ),
    Kind(
        name="near_duplicate_across_splits",
        table="images",
        measure=_bits_across_splits,
        accepts=_farther_than,
        description="No image looks like one of another split: their perceptual hashes differ in more than {limit:g} "
        "of 64 bits.",
        remedy="split by scene, not by image: a model must not be measured on what it has all but learnt",
        shown="in {split}, looks like {twin} of {twin_split}, {value:.0f} of 64 bits apart",
        faq=FaqLine.UNIFORM,
        context=partial(_twin, across=True),
    ),
)
