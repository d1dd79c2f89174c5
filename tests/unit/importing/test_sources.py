from __future__ import annotations

import pytest

from mobileyolo.importing.sources import Note, Part, split_called, split_of_claims, split_of_folders


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train", "train"),
        ("TRAIN", "train"),
        ("train2017", "train"),  # COCO
        ("instances_train2017", "train"),
        ("training", "train"),  # KITTI
        ("trainImages", "train"),
        ("instances_valminusminival2014", "train"),  # Detectron trained on it, and measured on minival
        ("val", "val"),
        ("valid", "val"),  # Roboflow
        ("Validation", "val"),  # CVAT
        ("hats-dev", "val"),
        ("instances_minival2014", "val"),
        ("test", "test"),
        ("VOC2007_test", "test"),
        ("testing", "test"),
        ("image_info_test-dev2017", "test"),  # COCO's test-dev is a part of its test images
        ("trainval", "trainval"),
        ("VOCtrainval", "trainval"),
        ("trainval35k", "trainval"),
        ("voc07_trainval", "trainval"),
        ("train_val", "trainval"),
        ("TrainVal", "trainval"),
        ("all", None),
        ("instances_default", None),
        ("trainval_test", None),
        ("train-val-test", None),
        ("retrained", None),
        ("latest", None),
        ("VOCdevkit", None),
        ("devices", None),
    ],
)
def test_a_name_says_a_split_by_one_of_its_words(name: str, expected: Part | None) -> None:
    assert split_called(name) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("a.png", None),
        ("test.png", None),
        ("images/train/a.png", "train"),
        ("train/images/a.png", "train"),
        ("trainval/train/a.png", "train"),
        ("training/val/a.png", "val"),
        ("train/test/a.png", "test"),
        ("test/train/a.png", "test"),
    ],
)
def test_of_folders_that_disagree_the_one_for_measuring_counts(file: str, expected: Part | None) -> None:
    assert split_of_folders(file) == expected


@pytest.mark.parametrize(
    ("claims", "expected", "said"),
    [
        ({}, None, False),
        ({"train.txt": "train", "trainval.txt": "trainval"}, "train", False),
        ({"val.txt": "val", "trainval.txt": "trainval"}, "val", False),
        ({"a/val.txt": "val", "b/val.txt": "val"}, "val", False),
        ({"train.txt": "train", "val.txt": "val"}, "val", True),
        ({"trainval.txt": "trainval", "test.txt": "test"}, "test", True),
        ({"train.txt": "train", "val.txt": "val", "test.txt": "test"}, "test", True),
    ],
)
def test_what_several_lists_claim_is_never_trained_on_if_it_may_be_measured_on(
    claims: dict[str, Part], expected: Part | None, said: bool
) -> None:
    notes: list[Note] = []
    assert split_of_claims("a.png", claims, notes) == expected
    note = Note("a.png", "", f"image in several splits, kept in {expected}", " and ".join(claims), "changed")
    assert notes == [note] * said
