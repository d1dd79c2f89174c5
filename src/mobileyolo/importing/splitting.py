"""Assigns images to splits: as the source says, and where it does not say, with scikit-learn and a seed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import check_random_state

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.records import Split
from mobileyolo.dataset.similarity import NEAR, near_duplicate_groups
from mobileyolo.importing.checking import CheckedImage
from mobileyolo.importing.sources import PRECEDENCE, Note, Options


def split_images(
    root: Path, images: Sequence[CheckedImage], options: Options, notes: list[Note]
) -> tuple[list[tuple[CheckedImage, Split]], str]:
    """Each image's split, and in words how it was decided.

    What the source says stays. If it has no validation split, that is taken by seed from the images to train on, and a
    test split too where it has neither. Images that it says nothing of are left out; but where it names none to train
    on, they are those.

    Args:
        root: The source, for messages.
        images: Those that can be used.
        options: Shares and seed, and whether the source's own split counts.
        notes: Gets a note on each image that is left out.

    Raises:
        DatasetError: there are no images to train on, or fewer groups than splits.
    """
    by_seed = f"by seed {options.seed}, near-duplicates together"
    test, val, train, trainval = ([image for image in images if image.source.split == part] for part in PRECEDENCE)
    if options.resplit or not (test or val or train or trainval):
        return list(zip(images, _drawn(images, options, options.test), strict=True)), f"split {by_seed}"
    others = [image for image in images if image.source.split is None]
    if train and trainval and not val:
        val, trainval = trainval, []  # what trainval has beside train
    held: dict[Split, list[CheckedImage]] = {"val": val, "test": test}
    named = " and ".join(split for split, own in held.items() if own)
    place = "train" if train else "trainval" if trainval else "the other images"
    if not train + trainval:
        trainval, others = others, []
    if not train + trainval:
        raise DatasetError(
            f"{root}: the source's own split has only {named} (as {images[0].source.file}), and nothing to train on; "
            "--resplit makes a new split of all images"
        )
    notes.extend(Note(image.source.file, "", "image in none of the source's own splits") for image in others)
    train += trainval
    if val:
        drawn: Sequence[Split] = ["train"] * len(train)
        how = "the source's own split" + (f"; train is {place}" if place == "the other images" else "")
    else:
        drawn = _drawn(train, options, Fraction(0) if test else options.test)
        taken = "val and test" if "test" in drawn else "val"
        how = f"the source's own {named or place} split; {taken} taken from {place} {by_seed}"
    splits: dict[str, Split] = {image.source.file: split for image, split in zip(train, drawn, strict=True)}
    for split, own in held.items():
        splits |= {image.source.file: split for image in own}
    return [(image, splits[image.source.file]) for image in images if image.source.file in splits], how


def _drawn(images: Sequence[CheckedImage], options: Options, test: Fraction) -> list[Split]:
    """Splits by seed; near-duplicates are in one of them."""
    groups = near_duplicate_groups(np.array([image.facts.dhash for image in images], dtype=np.uint64), NEAR)
    return split_groups([image.classes for image in images], groups, options.val, test, options.seed)


def split_groups(
    classes: Sequence[Sequence[int]], groups: NDArray[np.int64], val: Fraction, test: Fraction, seed: int
) -> list[Split]:
    """Split images so that groups stay whole and every split has its share of each class's boxes.

    >>> groups = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 8])  # the first two images are near-duplicates
    >>> splits = split_groups([[0]] * 10, groups, Fraction(1, 5), Fraction(1, 10), seed=0)
    >>> {split: splits.count(split) for split in ("train", "val", "test")}, splits[0] == splits[1]
    ({'train': 7, 'val': 2, 'test': 1}, True)

    Args:
        classes: For each image, the class id of each of its boxes.
        groups: For each image, the number of its group; near-duplicates have the same one.
        val: Share of the validation split.
        test: Share of the test split; 0 for none.
        seed: Another seed gives another split.

    Raises:
        DatasetError: there are fewer groups than splits.
    """
    needed = 3 if test else 2
    distinct = len(np.unique(groups))
    if distinct < needed:
        raise DatasetError(f"{distinct} usable images that are not near-duplicates; {needed} splits need one each")
    # For example, shares of 0.2 and 0.1 take 10 folds: 2 for val, 1 for test, the others for train.
    folds = min(math.lcm(val.denominator, test.denominator), distinct)
    tests = min(max(round(test * folds), 1), folds - 2) if test else 0
    vals = min(max(round(val * folds), 1), folds - tests - 1)
    # One row for each box. One more for each image balances the number of images, and places images without boxes.
    background = 1 + max((max(each, default=0) for each in classes), default=0)
    rows = [(image, class_id) for image, each in enumerate(classes) for class_id in (*each, background)]
    images, strata = np.array(rows, dtype=np.int64).T
    folder = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold = np.empty(len(classes), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class has fewer boxes than there are folds
        for number, (_, chosen) in enumerate(folder.split(strata, strata, groups[images])):
            fold[images[chosen]] = number
    # Early folds get the groups with most boxes, so the seed decides which fold is which. Folds of exactly the right
    # size come first: in a small dataset, one more image can double the share.
    order = check_random_state(seed).permutation(folds)
    excess = np.abs(np.bincount(fold, minlength=folds) * folds - len(classes))
    order = order[np.argsort(excess[order], kind="stable")]
    splits = {number: _split_of(place, tests, vals) for place, number in enumerate(order.tolist())}
    return [splits[number] for number in fold.tolist()]


def _split_of(place: int, tests: int, vals: int) -> Split:
    if place < tests:
        return "test"
    return "val" if place < tests + vals else "train"
