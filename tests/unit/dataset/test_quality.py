from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.stats import ks_2samp

from mobileyolo.core.config import load_params
from mobileyolo.core.files import NONE
from mobileyolo.dataset.finding_kinds import Audited, FaqLine, Kind
from mobileyolo.dataset.parameters import Quality, ValidationRules
from mobileyolo.dataset.quality import QUALITY
from tests.tables import Row, audited, box, image, offenders

KINDS = {kind.name: kind for kind in QUALITY}
LIMITS = {name: limits["limit"] for name, limits in load_params().section(ValidationRules).quality.model_dump().items()}


@dataclass(frozen=True)
class Tables:
    images: Sequence[Row]
    boxes: Sequence[Row] = ()
    names: tuple[str, ...] = ("cat", "dog")
    group: str = NONE

    def audited(self, *, shuffled: bool = False) -> Audited:
        return audited(self.images, self.boxes, self.names, group=self.group, shuffled=shuffled)


@dataclass(frozen=True)
class Case:
    """A dataset whose offenders are known, and a twin of it that has none."""

    kind: str
    offends: Tables
    found: dict[str, str]
    fine: Tables
    limits: dict[str, float] = field(default_factory=dict)


A, B, V = image("a"), image("b"), image("v", "val")
MANY = [image(f"{number:03}") for number in range(100)]
CATS = [box(own) for own in MANY]


def one_each(split: str, count: int, **facts: float) -> list[Row]:
    return [image(f"{split}{number:03}", split, **facts) for number in range(count)]


def looks(stem: str, split: str = "train", differing_bits: int = 0, **facts: object) -> Row:
    return image(stem, split, dhash=0xF0F0F0F0F0F0F0F0 ^ (2**differing_bits - 1), **facts)


def sized(own: Row, steps: int) -> Row:
    """A box larger or smaller by steps of 1 % each way, of the same shape."""
    return box(own, w=0.2 * 1.01**steps, h=0.2 * 1.01**steps)


def shaped(own: Row, steps: int) -> Row:
    """A box wider or narrower by steps of 1 %."""
    return box(own, w=0.2 * 1.01**steps, h=0.2)


# Their median is 0 steps, and the median deviation from it one step.
USUAL = [(own, number % 3 - 1) for number, own in enumerate(MANY[:30])]


VAL_100 = one_each("val", 100)
BRIGHT_100 = one_each("val", 100, brightness=0.7)

CASES = [
    Case(
        "missing_class",
        Tables([A, V], [box(A), box(A, 1), box(V)]),
        {"val: dog": "0 boxes in val, 1 in the other splits"},
        Tables([A, V], [box(A), box(A, 1), box(V), box(V, 1)]),
    ),
    Case(
        "scarce_class",
        Tables(MANY, [*CATS, *(box(own, 1) for own in MANY[:49]), box(MANY[0], 1, x=0.4)]),
        {"train: dog": "50 boxes in 49 training images"},
        Tables(MANY, [*CATS, *(box(own, 1) for own in MANY[:50])]),
    ),
    Case(
        "rare_class",
        Tables(MANY, [*CATS, *(box(own, 1) for own in MANY[:9])]),
        {"train: dog": "9 boxes, 0.09 of the 100 of cat"},
        Tables(MANY, [*CATS, *(box(own, 1) for own in MANY[:10])]),
    ),
    Case(
        "class_shift",
        Tables([*MANY, *VAL_100], [*CATS, *(box(own, number % 2) for number, own in enumerate(VAL_100))]),
        {"val": "total variation distance 0.50 from train, chance gives up to 0.26; 50% cat, 100% in train"},
        # As far from train, but at four images that may be chance.
        Tables([*MANY, *VAL_100[:4]], [*CATS, *(box(own, number % 2) for number, own in enumerate(VAL_100[:4]))]),
    ),
    Case(
        "size_shift",
        Tables([*MANY, *VAL_100], [*CATS, *(box(own, w=0.2, h=0.2) for own in VAL_100)]),
        {
            "val": "Kolmogorov-Smirnov distance 1.00 from train, chance gives up to 0.23; "
            "the median box is 0.2 of its image's side, 0.3 in train"
        },
        # A hundred boxes, but of only two images.
        Tables([*MANY, *VAL_100[:2]], [*CATS, *(box(VAL_100[n % 2], w=0.2 + n / 1e3, h=0.2) for n in range(100))]),
    ),
    Case(
        "brightness_shift",
        Tables([*MANY, *BRIGHT_100]),
        {
            "val": "Kolmogorov-Smirnov distance 1.00 from train, chance gives up to 0.23; "
            "the median brightness is 0.7, 0.5 in train"
        },
        Tables([*MANY, *BRIGHT_100[:2]]),
    ),
    Case(
        "few_scenes",
        Tables([image("a"), *(looks(f"like{n}") for n in range(3))]),
        {"train": "2 scenes in 4 images, worth 1.8 equally frequent ones"},  # exp(-(ln 1/4) / 4 - 3 (ln 3/4) / 4)
        Tables([image("a"), image("b")]),
        {"limit": 2},
    ),
    Case(
        "near_duplicate_in_split",
        Tables(
            [
                looks("a"),
                looks("b", differing_bits=4),
                looks("c", pixels="train/a.jpg"),
                looks("blank", contrast=0.001),
                looks("v", "val"),
            ]
        ),
        {
            "train/b.jpg": "nearly the same as train/a.jpg, 4 of 64 bits apart",
            "train/c.jpg": "the same pixels as train/a.jpg, 0 of 64 bits apart",
        },
        Tables([looks("a"), looks("b", differing_bits=5), looks("v", "val")]),
    ),
    Case(
        "near_duplicate_across_splits",
        Tables(
            [
                looks("a"),
                looks("b", differing_bits=2),
                looks("v", "val", differing_bits=3),
                looks("same", "val", pixels="train/a.jpg"),  # a fault already
                looks("t", "test", differing_bits=1),
            ]
        ),
        {
            "val/v.jpg": "in val, looks like train/b.jpg of train, 1 of 64 bits apart",
            "test/t.jpg": "in test, looks like train/a.jpg of train, 1 of 64 bits apart",
        },
        Tables([looks("a"), looks("b"), looks("v", "val", differing_bits=5)]),
    ),
    Case(
        "group_in_two_splits",
        Tables(
            [
                *(image(stem) for stem in ("park1", "park2", "yard1")),
                *(image(stem, "val") for stem in ("lake1", "park3")),
                *(image(stem, "test") for stem in ("lake2", "park4", "alone")),
            ],
            group=r"([^/]+)\d",
        ),
        {
            "val/park3.jpg": "in val, but its group park is in train too, as train/park1.jpg",
            "test/lake2.jpg": "in test, but its group lake is in val too, as val/lake1.jpg",
            "test/park4.jpg": "in test, but its group park is in train too, as train/park1.jpg",
        },
        Tables([image("park1"), image("park2"), image("yard1", "val"), image("alone", "val")], group=r"([^/]+)\d"),
    ),
    Case(
        "background_image",
        Tables([A, B, image("c")], [box(A), box(B, w=0)]),
        {"train/b.jpg": "0 boxes from 1 label lines", "train/c.jpg": "0 boxes from 0 label lines"},
        Tables([A, image("unlabelled", label_exists=False)], [box(A)]),
    ),
    Case(
        "crowded_image",
        Tables([A], [box(A, x=0.3 + n / 1e3) for n in range(301)]),
        {"train/a.jpg": "301 boxes"},
        Tables([A], [box(A, x=0.3 + n / 1e3) for n in range(300)]),
    ),
    Case(
        "long_image",
        Tables([image("a", height=200)]),
        {"train/a.jpg": "640 x 200 pixels, 3.2 to 1"},
        Tables([image("a", width=160)]),
    ),
    Case("dark_image", Tables([image("a", brightness=0.05)]), {"train/a.jpg": "brightness 0.05"}, Tables([A])),
    Case("bright_image", Tables([image("a", brightness=0.97)]), {"train/a.jpg": "brightness 0.97"}, Tables([A])),
    Case("blurred_image", Tables([image("a", sharpness=0.1)]), {"train/a.jpg": "sharpness 0.10"}, Tables([A])),
    Case("blank_image", Tables([image("a", contrast=0.002)]), {"train/a.jpg": "contrast 0.002"}, Tables([A])),
    Case(
        "tiny_box",
        Tables([A], [box(A), box(A, w=3 / 640, h=4 / 480)]),
        {"train/a.txt:2": "3 x 4 of 640 x 480 pixels, 0.00391 % of the image"},
        Tables([A], [box(A, w=0.0125, h=0.0125)]),
    ),
    Case(
        "huge_box",
        Tables([A], [box(A, w=1, h=1)]),
        {"train/a.txt:1": "640 x 480 of 640 x 480 pixels, 100 % of the image"},
        Tables([A], [box(A, w=0.9, h=0.9)]),
    ),
    Case(
        "box_at_border",
        Tables([A], [box(A, x=0.15), box(A, y=0.855)]),
        {"train/a.txt:1": "touches the left border", "train/a.txt:2": "touches the bottom border"},
        Tables([A], [box(A, x=0.152)]),
    ),
    Case(
        "elongated_box",
        Tables([A], [box(A, w=0.05, h=0.9)]),
        {"train/a.txt:1": "32 x 432 pixels, 13.5 to 1"},
        Tables([A], [box(A, w=0.075, h=0.9)]),  # 48 x 432 pixels: the image isn't square
    ),
    Case(
        "odd_size_for_class",
        Tables(MANY, [*(sized(*usual) for usual in USUAL), sized(MANY[30], 70)]),
        # 0.6745 x 70 steps
        {"train/030.txt:1": "257 x 193 pixels, 2.01 times as long and as wide as usual for cat (z 47.2)"},
        Tables(MANY, [*(sized(*usual) for usual in USUAL[2:]), sized(MANY[30], 70)]),  # too few to tell
    ),
    Case(
        "odd_shape_for_class",
        Tables(MANY, [*(shaped(*usual) for usual in USUAL), shaped(MANY[30], -70)]),
        {"train/030.txt:1": "width / height 0.664, usual for cat is 1.33 (z 47.2)"},
        # Cut off by the border.
        Tables(MANY, [*(shaped(*usual) for usual in USUAL), {**shaped(MANY[30], -70), "x": 0.05}]),
    ),
    Case(
        "overlapping_box",
        Tables([A, B], [box(A), box(A, 1), box(A, w=0.31), box(A), box(B)]),
        {"train/a.txt:3": "IoU 0.97 with line 1, both cat"},  # line 4 is a duplicate, which is a fault
        Tables([A, B], [box(A), box(A, 1), box(A, w=0.34), box(B, w=0.31)]),
    ),
    Case(
        "contested_box",
        Tables([A], [box(A), box(A, 1, w=0.31)]),
        {"train/a.txt:2": "dog, IoU 0.97 with line 1, cat"},
        Tables([A], [box(A), box(A, 0, w=0.31)]),
    ),
    Case(
        "mixed_label_file",
        Tables([A, B], [box(A), box(A, x=0.4), box(A, points=5), box(B)]),
        {"train/a.txt": "2 boxes and 1 polygons"},
        Tables([A, B], [box(A), box(B, points=3)]),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_kind_finds_its_offenders_and_shows_them_in_figures(case: Case) -> None:
    kind, limit = KINDS[case.kind], case.limits.get("limit", LIMITS[case.kind])
    assert offenders(kind, case.offends.audited(), limit) == case.found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_kind_finds_nothing_in_a_dataset_without_it(case: Case) -> None:
    kind, limit = KINDS[case.kind], case.limits.get("limit", LIMITS[case.kind])
    assert offenders(kind, case.fine.audited(), limit) == {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_the_order_of_rows_changes_nothing(case: Case) -> None:
    kind, limit = KINDS[case.kind], case.limits.get("limit", LIMITS[case.kind])
    # Lines are numbered before the rows are shuffled.
    assert offenders(kind, case.offends.audited(shuffled=True), limit) == case.found


UNREADABLE = image("a", read_error="truncated", width=0, height=0, brightness=None, contrast=None, sharpness=None)
POOR = {
    "nothing at all": audited([]),
    "no boxes": audited([A, V]),
    "one image": audited([A], [box(A)], ("cat",)),
    "no class": audited([A], [], ()),
    "nothing readable": audited([UNREADABLE], [box(UNREADABLE)]),
    "nothing sound": audited([A, V], [box(A, 7), box(A, w=0), box(V, x=3), box(V, parse_error="no", class_id=-1)]),
    "blank images": audited([image("a", contrast=0.0, sharpness=None), image("v", "val", contrast=0.0)]),
    "a file in two splits": audited([A, {**A, "split": "val"}], [box(A)], group="a"),
}


@pytest.mark.parametrize("kind", QUALITY, ids=lambda kind: kind.name)
@pytest.mark.parametrize("data", POOR.values(), ids=POOR)
def test_a_dataset_with_next_to_nothing_can_be_measured(kind: Kind, data: object) -> None:
    offenders(kind, data, LIMITS[kind.name])  # type: ignore[arg-type]


def test_every_kind_has_a_limit_and_a_share_and_a_case() -> None:
    assert set(Quality.model_fields) == set(KINDS) == {case.kind for case in CASES}
    assert len(KINDS) == len(QUALITY)


def test_every_line_of_the_faq_that_data_can_answer_has_a_kind() -> None:
    assert {kind.faq for kind in QUALITY} == set(FaqLine)


def test_box_sizes_are_compared_by_the_statistic_that_scipy_has() -> None:
    sizes = np.random.default_rng(0).lognormal(-2, 0.3, 300).clip(0.01, 0.9)
    images = [*MANY, *VAL_100]
    data = audited(images, [box(images[n % 200], w=size, h=size) for n, size in enumerate(np.sort(sizes))])
    train, val = (data.boxes.loc[data.boxes["split"] == split, "w"] for split in ("train", "val"))
    (distance,) = KINDS["size_shift"].measure(data).dropna()
    assert distance == pytest.approx(ks_2samp(train, val).statistic)


def test_an_image_with_ten_thousand_boxes_is_no_trouble() -> None:
    boxes = [box(A, x=0.1 + 0.008 * (n % 100), y=0.1 + 0.008 * (n // 100), w=0.01, h=0.01) for n in range(10_000)]
    data = audited([A], [*boxes, box(A, x=0.1, y=0.1, w=0.0101, h=0.01)])
    assert offenders(KINDS["overlapping_box"], data, 0.9) == {"train/a.txt:10001": "IoU 0.99 with line 1, both cat"}


def test_frames_of_a_still_camera_are_one_scene() -> None:
    frames = [looks(f"{number:04}", differing_bits=number % 5) for number in range(2000)]
    found = offenders(KINDS["few_scenes"], audited(frames), 50)
    assert found == {"train": "1 scenes in 2000 images, worth 1.0 equally frequent ones"}


def test_images_of_one_group_are_one_scene() -> None:
    videos = [image(f"video{number % 2}_{number:03}") for number in range(100)]
    found = offenders(KINDS["few_scenes"], audited(videos, group=r"video\d"), 50)
    assert found == {"train": "2 scenes in 100 images, worth 2.0 equally frequent ones"}


def test_a_box_is_compared_with_the_closest_earlier_one() -> None:
    data = audited([A], [box(A, w=0.31), box(A, w=0.303), box(A)])
    assert offenders(KINDS["overlapping_box"], data, 0.98) == {"train/a.txt:3": "IoU 0.99 with line 2, both cat"}


def test_the_nearest_twins_are_those_that_comparing_all_with_all_finds() -> None:
    random = np.random.default_rng(0)
    splits = sorted(random.choice(["train", "val", "test"], 300), key=["train", "val", "test"].index)
    scenes = [int(scene) for scene in random.integers(2**63, size=20)]
    hashes = [
        scenes[random.integers(20)] ^ 1 << int(random.integers(64)) ^ 1 << int(random.integers(64)) for _ in splits
    ]
    images = [image(f"{n:03}", split, dhash=own) for n, (split, own) in enumerate(zip(splits, hashes, strict=True))]
    data = audited(images)
    for name, across in (("near_duplicate_in_split", False), ("near_duplicate_across_splits", True)):
        bits = [
            min(
                (
                    (hashes[n] ^ hashes[m]).bit_count()
                    for m in range(n)
                    if (splits[m] != splits[n]) == across and (hashes[n] ^ hashes[m]).bit_count() <= 4
                ),
                default=64,
            )
            for n in range(len(images))
        ]
        assert KINDS[name].measure(data).tolist() == bits


def test_the_closest_boxes_are_those_that_comparing_all_with_all_finds() -> None:
    random = np.random.default_rng(0)
    boxes = [
        box(
            own,
            int(random.integers(2)),
            **dict(zip("xywh", (0.5, 0.5, 0.3, 0.3) * random.uniform(0.9, 1.1, 4), strict=True)),
        )
        for own in MANY[:10]
        for _ in range(20)
    ]

    def iou(one: Row, other: Row) -> float:
        sides = [
            min(one[c] + one[s] / 2, other[c] + other[s] / 2) - max(one[c] - one[s] / 2, other[c] - other[s] / 2)
            for c, s in (("x", "w"), ("y", "h"))
        ]
        shared = max(sides[0], 0) * max(sides[1], 0)
        return float(shared / (one["w"] * one["h"] + other["w"] * other["h"] - shared))

    for name, same in (("overlapping_box", True), ("contested_box", False)):
        closest = [
            max(
                (
                    iou(boxes[n], boxes[m])
                    for m in range(n - n % 20, n)
                    if (boxes[n]["class_id"] == boxes[m]["class_id"]) == same
                ),
                default=0,
            )
            for n in range(len(boxes))
        ]
        expected = [value if value >= 0.5 else 0 for value in closest]
        assert KINDS[name].measure(audited(MANY, boxes)).tolist() == pytest.approx(expected)


def test_what_is_left_out_does_not_count_for_its_class() -> None:
    unreadable = image("u", width=0, height=0, read_error="broken")
    found = audited([A, unreadable], [box(A), box(A, key=1), box(A, key=1), box(unreadable, 1)])
    counts = found.classes.set_index(["split", "name"])["boxes"]
    assert counts["train"].to_dict() == {"cat": 2, "dog": 0}


def test_a_label_file_that_two_images_share_is_counted_once() -> None:
    other = {**image("b"), "label": A["label"]}
    lines = [{**box(own, points=points), "line": line} for own in (A, other) for line, points in ((1, 0), (2, 3))]
    found = audited([A, other], lines)
    assert offenders(KINDS["mixed_label_file"], found, 0) == {A["label"]: "1 boxes and 1 polygons"}
