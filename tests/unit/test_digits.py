from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from mobileyolo import digits
from mobileyolo.core.records import SPLITS
from mobileyolo.dataset.reading import read_dataset
from mobileyolo.digits import DigitsOptions

SMALL = DigitsOptions(seed=0, train=12, val=4, test=6, scene_size=160)


def files_of(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    digits.generate(SMALL, tmp_path / "a")
    digits.generate(SMALL, tmp_path / "b")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_another_seed_gives_other_images_throughout(tmp_path: Path) -> None:
    digits.generate(SMALL, tmp_path / "a")
    digits.generate(SMALL.model_copy(update={"seed": 1}), tmp_path / "b")
    first, second = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] == second[name]} == {"data.yaml"}


def test_more_images_keep_those_that_were_there(tmp_path: Path) -> None:
    digits.generate(SMALL, tmp_path / "a")
    digits.generate(SMALL.model_copy(update={"train": 20}), tmp_path / "b")
    first, second = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    assert first.items() < second.items()


def test_no_digit_sample_is_in_two_splits() -> None:
    samples = digits.split_samples(0)
    assert sorted(np.concatenate(list(samples.values()))) == list(range(1797))
    # Nor would it help: no two of scikit-learn's samples are equal.
    assert len(np.unique(load_digits().data, axis=0)) == 1797


def test_scenes_draw_only_on_the_samples_of_their_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {}

    def spy(seed: int, split: str, index: int, size: int, samples: np.ndarray) -> digits.Scene:
        given[split] = set(samples.tolist())
        return digits.Scene(np.zeros((size, size, 3), np.uint8), ())

    monkeypatch.setattr(digits, "compose", spy)
    digits.generate(SMALL, tmp_path / "a")
    assert given == {split: set(samples.tolist()) for split, samples in digits.split_samples(0).items()}


def test_every_split_has_every_class_at_the_same_share() -> None:
    target = load_digits().target
    for split, share in digits.SHARES.items():
        counts = Counter(target[digits.split_samples(3)[split]].tolist())
        for class_id in range(10):
            assert counts[class_id] == pytest.approx(share * (target == class_id).sum(), abs=1)


def test_it_is_a_yolo_dataset_in_the_standard_layout(tmp_path: Path) -> None:
    digits.generate(SMALL, tmp_path / "a")
    data = read_dataset(tmp_path / "a")
    assert data.names == tuple("0123456789")
    assert data.splits == SPLITS
    assert data.images["split"].value_counts().to_dict() == {"train": 12, "val": 4, "test": 6}
    assert data.images["read_error"].isna().all()
    assert (data.images[["width", "height"]] == 160).all(axis=None)
    assert data.boxes["parse_error"].isna().all()
    assert data.boxes.groupby("image").size().between(2, 6).all()


def test_boxes_hold_a_bright_digit_tightly_and_nothing_bright_lies_outside_them() -> None:
    samples = digits.split_samples(0)["train"]
    for index in range(20):
        scene = digits.compose(0, "train", index, 160, samples)
        bright = scene.pixels.max(axis=2) > digits.BACKGROUND_LEVELS[1] + digits.NOISE
        covered = np.zeros_like(bright)
        for _, x, y, w, h in scene.boxes:
            top, bottom = round((y - h / 2) * 160), round((y + h / 2) * 160)
            left, right = round((x - w / 2) * 160), round((x + w / 2) * 160)
            assert not covered[top:bottom, left:right].any()  # no two boxes overlap
            covered[top:bottom, left:right] = True
            inside = bright[top:bottom, left:right]
            # Strokes fade out at their ends, so a row or two inside the edge something is bright.
            assert inside[:3].any()
            assert inside[-3:].any()
            assert inside[:, :3].any()
            assert inside[:, -3:].any()
        assert not bright[~covered].any()


def test_a_scene_as_small_as_a_digit_still_holds_one() -> None:
    scene = digits.compose(0, "val", 0, 64, digits.split_samples(0)["val"])
    assert scene.pixels.shape == (64, 64, 3)
    assert len(scene.boxes) >= 1


def test_a_failure_leaves_what_was_there_and_nothing_half_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digits.generate(SMALL, tmp_path / "a")
    before = files_of(tmp_path / "a")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        digits.generate(SMALL.model_copy(update={"seed": 1}), tmp_path / "a")
    assert files_of(tmp_path / "a") == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_generating_again_leaves_nothing_of_the_larger_dataset_before(tmp_path: Path) -> None:
    digits.generate(SMALL, tmp_path / "a")
    digits.generate(SMALL.model_copy(update={"train": 2}), tmp_path / "a")
    assert len(list((tmp_path / "a/train/images").iterdir())) == 2
