"""Finds near-duplicates among perceptual hashes, in time linear in the number of images."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BITS = 64
NEAR = 4  # near-duplicates differ in at most this many of the BITS; saving again or scaling changes fewer
LARGEST_DISTANCE = 8  # bits; with more, the bands become so narrow that most images share one
# How many hashes each one is compared with in each band; with more, groups are still linked through other members.
MOST_NEIGHBOURS = 64


def near_duplicate_pairs(hashes: NDArray[np.uint64], distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of distinct hashes that differ in at most `distance` bits.

    The bits are cut into distance + 1 bands. Hashes that differ in at most `distance` bits are equal in at least one
    band, so only hashes that share a band are compared. For example, with 2 bands 0110|1010 and 0110|1000 share the
    first one.

    Args:
        hashes: distinct, shape (n,).
        distance: bits, at most LARGEST_DISTANCE.

    Returns:
        Positions of both, shape (pairs,), first < second; each pair once.
    """
    if not 0 <= distance <= LARGEST_DISTANCE:
        raise ValueError(f"distance {distance}: expected 0 to {LARGEST_DISTANCE} bits")
    found: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    edges = np.linspace(0, BITS, distance + 2).astype(int)
    for low, high in pairwise(edges):
        band = hashes >> np.uint64(low) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        bucket = band[order]
        same = np.arange(len(hashes))
        for offset in range(1, MOST_NEIGHBOURS + 1):
            same = same[same + offset < len(hashes)]
            same = same[bucket[same + offset] == bucket[same]]
            if not len(same):
                break
            one, other = order[same], order[same + offset]
            close = np.bitwise_count(hashes[one] ^ hashes[other]) <= distance
            one, other = one[close], other[close]
            found.append(np.minimum(one, other) * len(hashes) + np.maximum(one, other))
    # Each pair as one number: finding the distinct columns of two rows takes a hundred times as long.
    return np.divmod(np.unique(np.concatenate(found)), max(len(hashes), 1))


def near_duplicate_groups(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Group images so that near-duplicates are in the same group, also through others: a like b, b like c.

    >>> hashes = np.array([0b0000_0000, 0b1111_0000, 0b0000_0001, 0b0000_0011], np.uint64)
    >>> near_duplicate_groups(hashes, distance=1).tolist()  # the first and the last are linked by the third
    [0, 1, 0, 0]

    Args:
        hashes: one for each image, shape (n,).
        distance: near-duplicates differ in at most so many bits.

    Returns:
        Number of each image's group, shape (n,), in the order of first members.
    """
    distinct, position = np.unique(hashes, return_inverse=True)
    one, other = near_duplicate_pairs(distinct, distance)
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(distinct), len(distinct)))
    _, component = connected_components(links, directed=False)
    _, first, group = np.unique(component[position], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[group]
