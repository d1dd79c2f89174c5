"""Images that show nearly the same as others or are of one group, and how many scenes there are without them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mobileyolo.dataset.finding_kinds import Accepted, Audited, FaqLine, Kind, at_least, at_most
from mobileyolo.dataset.quality.rows import readable_images
from mobileyolo.dataset.scenes import BLANK_CONTRAST, groups_of, scenes_of
from mobileyolo.dataset.similarity import BITS, NEAR, near_duplicate_pairs

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _farther_than(_audited: Audited, limit: float) -> Accepted:
    return Accepted(above=limit)


def _ranked(audited: Audited) -> pd.DataFrame:
    """Readable images in the order of splits and names, with their row and the rank of their split."""
    images = readable_images(audited)
    ranks = {split: rank for rank, split in enumerate(audited.data.splits)}
    ranked = images.assign(rank=images["split"].map(ranks).astype("int64"), row=images.index)
    return ranked.sort_values(["rank", "image"]).reset_index(drop=True)


def _hashed(audited: Audited) -> pd.DataFrame:
    """The same images without those whose hash says nothing."""
    images = _ranked(audited)
    return images[images["contrast"] >= BLANK_CONTRAST].reset_index(drop=True)


@lru_cache(maxsize=2)  # asked for twice: for the distances, and for what the offenders look like
def _twins(audited: Audited, *, across: bool) -> pd.DataFrame:
    """The most similar image before each image: of the splits before its own, or of its own split.

    Images with the same hash are alike, so hashes are compared and not images, and the first image of a hash stands for
    the others. For example, where hashes A and B differ in 2 bits, and images are numbered by split and name:

        train: 0 has A, 1 has A, 2 has B        val: 3 has A, 4 has B

        within splits: 1 -> 0 at 0 bits, 2 -> 0 at 2 bits, 4 -> 3 at 2 bits; 0 and 3 have none before them
        across splits: 3 -> 0 at 0 bits, 4 -> 2 at 0 bits; train has no split before it

    Args:
        audited: The dataset's tables.
        across: Compare with the splits before, or else within the split.

    Returns:
        bits (BITS where no image differs in NEAR bits or fewer) and twin (row of the other image, missing where there
        is none), on the rows of the images that have a telling hash.
    """
    images = _hashed(audited)
    rank, nobody = images["rank"].to_numpy(), len(images)
    distinct, hash_of = np.unique(images["dhash"].to_numpy(np.uint64), return_inverse=True)
    pairs = _near_pairs(distinct)
    first = np.full((len(distinct), len(audited.data.splits)), nobody)  # image of each hash in each split
    np.minimum.at(first, (hash_of, rank), np.arange(nobody))

    nearest = np.empty(nobody, np.int64)
    for split in range(first.shape[1]):
        own = np.flatnonzero(rank == split)
        if across:
            seen = first[:, :split].min(axis=1, initial=nobody)
            nearest[own] = _nearest(pairs, seen, np.full(len(distinct), nobody), nobody)[hash_of[own]]
        else:
            seen = first[:, split]
            nearest[own] = _nearest(pairs, seen, seen, nobody)[hash_of[own]]
            repeated = own[own > seen[hash_of[own]]]
            nearest[repeated] = seen[hash_of[repeated]]  # the first with the same hash, 0 bits apart
    bits, twin = np.divmod(nearest, nobody + 1)
    rows = pd.Series(images["row"].to_numpy(), dtype="object").reindex(twin)
    return pd.DataFrame({"bits": bits.astype(np.float64), "twin": rows.to_numpy()}, index=images["row"])


def _near_pairs(distinct: NDArray[np.uint64]) -> Pairs:
    """Pairs of near hashes in both directions, each hash with itself too: position, the other's position, bits."""
    pair = near_duplicate_pairs(distinct, NEAR)
    itself = np.arange(len(distinct))
    one, other = (np.concatenate([*ends, itself]) for ends in (pair, pair[::-1]))
    return one, other, np.bitwise_count(distinct[one] ^ distinct[other]).astype(np.int64)


def _nearest(pairs: Pairs, seen: NDArray[np.int64], limit: NDArray[np.int64], nobody: int) -> NDArray[np.int64]:
    """For each hash the nearest image, coded as bits * (nobody + 1) + image.

    So the smallest code is the nearest image, and the first of several that are equally near.

    Args:
        pairs: Near hashes.
        seen: For each hash the image that stands for it; `nobody` where there is none.
        limit: For each hash the image that the nearest one has to come before.
        nobody: The number of images, which is the number of none of them.
    """
    one, other, bits = pairs
    nearest = np.full(len(seen), BITS * (nobody + 1) + nobody)
    allowed = seen[other] < limit[one]
    np.minimum.at(nearest, one[allowed], bits[allowed] * (nobody + 1) + seen[other[allowed]])
    return nearest


def _bits_within_split(audited: Audited) -> pd.Series:
    return _twins(audited, across=False)["bits"].reindex(audited.images.index)


def _bits_across_splits(audited: Audited) -> pd.Series:
    """Bits to the nearest image of an earlier split; equal pixels in two splits are a fault, and NaN here."""
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


def _scenes(audited: Audited) -> pd.DataFrame:
    """How many scenes each split has, and how many equally frequent ones that is worth.

    The second number is the exponential of the entropy of the scenes' shares (Hill number of order 1, Hill 1973). For
    example, one scene with 1,000 images and one with a single image are 2 scenes, but worth only 1.01.
    """
    images = _hashed(audited)
    scenes = pd.Series(scenes_of(images, audited.group))
    rows = {}
    for split, own in scenes.groupby(images["split"]):
        sizes = own.value_counts().to_numpy()
        shares = sizes / sizes.sum()
        rows[split] = {"scenes": len(sizes), "effective": float(np.exp(-(shares * np.log(shares)).sum()))}
    counts = pd.DataFrame.from_dict(rows, orient="index", columns=["scenes", "effective"])
    return counts.reindex(audited.splits["split"]).set_axis(audited.splits.index)


def _grouped(audited: Audited) -> pd.DataFrame:
    """Images that have a group, with it and the row of the first image of the group; as `_ranked`."""
    images = _ranked(audited)
    images = images.assign(group=groups_of(images["image"], audited.group)).dropna(subset=["group"])
    return images.assign(twin=images.groupby("group")["row"].transform("first"))


def _splits_with_group(audited: Audited) -> pd.Series:
    """In how many splits up to its own the group of each image is; NaN without a group."""
    images = _grouped(audited)
    splits = images.drop_duplicates(["group", "rank"])
    numbered = splits.assign(number=splits.groupby("group").cumcount() + 1.0)[["group", "rank", "number"]]
    return images.merge(numbered, on=["group", "rank"]).set_index("row")["number"].reindex(audited.images.index)


def _group(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    grouped = _grouped(audited).set_index("row").loc[rows]
    twin = audited.images.loc[grouped["twin"]].set_axis(rows)
    return {"group": grouped["group"], "twin": twin["image"], "twin_split": twin["split"]}


SCENE_KINDS = (
    Kind(
        name="few_scenes",
        table="splits",
        measure=lambda audited: _scenes(audited)["effective"],
        accepts=at_least,
        description="Every split shows at least {limit:g} scenes; rare ones count less (effective number).",
        remedy="add images of other places, times, cameras and objects, not more of the same",
        shown="{scenes:.0f} scenes in {readable} images, worth {value:.1f} equally frequent ones",
        faq=FaqLine.FEW_SCENES,
        context=lambda audited, rows: {"scenes": _scenes(audited).loc[rows, "scenes"]},
    ),
    Kind(
        name="near_duplicate_in_split",
        table="images",
        measure=_bits_within_split,
        accepts=_farther_than,
        description="No image looks like another of its split: their perceptual hashes differ in more than {limit:g} "
        "of 64 bits.",
        remedy="keep one of them, or every n-th frame of a video: the others add little that is new",
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
        remedy="split by scene, not by image: a model must not be measured on images like those it was trained on",
        shown="in {split}, looks like {twin} of {twin_split}, {value:.0f} of 64 bits apart",
        faq=FaqLine.UNIFORM,
        context=partial(_twin, across=True),
    ),
    Kind(
        name="group_in_two_splits",
        table="images",
        measure=_splits_with_group,
        accepts=at_most,
        description="The images of a group (data.group) are in no more than {limit:g} split.",
        remedy="move all images of the group into one split: a model must not be measured on what it was trained on",
        shown="in {split}, but its group {group} is in {twin_split} too, as {twin}",
        faq=FaqLine.UNIFORM,
        context=_group,
    ),
)
