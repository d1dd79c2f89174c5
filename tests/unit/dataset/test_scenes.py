from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mobileyolo.core.config import load_params
from mobileyolo.core.files import NONE
from mobileyolo.dataset.reading import read_dataset
from mobileyolo.dataset.scenes import groups_of, scenes_of
from mobileyolo.digits import DigitsOptions, generate
from tests.tables import Row, image

FRAMES = r"([^/]+)_frame\d+"


def like(stem: str, differing_bits: int = 0, split: str = "train", **facts: Any) -> Row:
    """One of a number of images whose hashes differ in few bits."""
    return image(stem, split, dhash=0xF0F0F0F0F0F0F0F0 ^ (2**differing_bits - 1), **facts)


def scenes(*images: Row, group: str = NONE) -> list[int]:
    return [int(scene) for scene in scenes_of(pd.DataFrame(images), group)]


def test_near_duplicates_are_one_scene_also_through_others_and_numbered_by_first_appearance() -> None:
    assert scenes(image("a"), like("b"), image("c"), like("d", 8), like("e", 4), image("f")) == [0, 1, 2, 1, 1, 3]


def test_no_scene_is_in_two_splits_and_none_is_tied_through_another_split() -> None:
    assert scenes(like("a", 4), like("b", split="val"), like("c", 8, split="val"), like("d", 4, split="test")) == [
        0,
        1,
        2,
        3,
    ]


def test_blank_images_are_scenes_of_their_own_unless_their_pixels_are_equal() -> None:
    black: Row = {"dhash": 0, "contrast": 0.0}
    found = scenes(image("a", **black), image("b", **black), image("c", **black, pixels="train/a.jpg"))
    assert found == [0, 1, 0]


def test_images_of_one_group_are_one_scene_and_the_others_are_not_tied_by_it() -> None:
    images = [
        image(stem) for stem in ("park_frame1", "alone", "street_frame1", "park_frame2", "other", "street_frame9")
    ]
    assert scenes(*images, group=FRAMES) == [0, 1, 2, 0, 3, 2]
    assert scenes(*images) == [0, 1, 2, 3, 4, 5]


def test_groups_and_near_duplicates_tie_images_together() -> None:
    images = [like("park_frame1"), image("park_frame2"), like("single", 2), image("street_frame1"), image("x")]
    assert scenes(*images, group=FRAMES) == [0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (NONE, [None, None, None]),
        (r"([^/]+)_frame\d+", ["park", None, None]),
        (r"_frame\d+", ["_frame12", None, None]),  # no capturing group: the whole match
        (r"(?:park|street)", ["park", "street", None]),
        (r"images/([^/]+)/", [None, "street", None]),  # a video may be a folder
        (r"(\d\d)|images", [None, None, None]),  # the capturing group took no part
        (r"\d*", [None, None, None]),  # matches everywhere, but nothing
        ("(安全帽)", [None, None, "安全帽"]),
    ],
)
def test_the_group_is_what_the_first_capturing_group_matches_in_the_path(
    pattern: str, groups: list[str | None]
) -> None:
    images = pd.Series(["train/images/park_frame12.jpg", "train/images/street/7.jpg", "train/images/安全帽.jpg"])
    assert groups_of(images, pattern).tolist() == groups


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded default with 72 test images."""
    root = tmp_path_factory.mktemp("digits") / "digits"
    generate(load_params().section(DigitsOptions).model_copy(update={"train": 8, "val": 8, "test": 72}), root)
    return root


def test_digits_are_as_many_scenes_as_images_and_copies_add_none(digits: Path, tmp_path: Path) -> None:
    root = shutil.copytree(digits, tmp_path / "copies")
    once = read_dataset(root).images
    assert scenes_of(once, NONE).tolist() == list(range(88))
    for path in sorted(root.glob("test/images/*")):
        for number in range(3):
            shutil.copyfile(path, path.with_stem(f"{path.stem}-again{number}"))
    images = read_dataset(root).images
    own = (images["split"] == "test").to_numpy()
    assert own.sum() == 4 * 72
    assert len(np.unique(scenes_of(images, NONE)[own])) == 72
