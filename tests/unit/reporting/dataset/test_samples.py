from __future__ import annotations

import pandas as pd

from mobileyolo.reporting.dataset.samples import choose_samples


def tables(classes_of_images: dict[str, list[list[int]]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images by split, each with the classes of its boxes."""
    rows = [
        (split, f"{split}/{number:02d}.jpg", classes)
        for split, images in classes_of_images.items()
        for number, classes in enumerate(images)
    ]
    images = pd.DataFrame([row[:2] for row in rows], columns=["split", "image"])
    boxes = [(split, image, class_id) for split, image, classes in rows for class_id in classes]
    return images, pd.DataFrame(boxes, columns=["split", "image", "class_id"])


def test_images_are_chosen_for_the_classes_that_they_show() -> None:
    images, boxes = tables({"train": [[0]] * 10 + [[0, 1, 1], [2], [0]], "val": [[0], [3], [0]]})
    assert choose_samples(images, boxes, 2) == {
        "train": ["train/10.jpg", "train/11.jpg"],
        "val": ["val/01.jpg", "val/02.jpg"],
    }


def test_images_that_show_nothing_new_come_from_all_over_the_split() -> None:
    images, boxes = tables({"train": [[0]] * 40})
    assert choose_samples(images, boxes, 4)["train"] == [f"train/{n}.jpg" for n in ("05", "15", "25", "35")]


def test_a_small_split_is_shown_whole_and_an_empty_one_not() -> None:
    images, boxes = tables({"train": [[], [0]]})
    assert choose_samples(images, boxes, 4) == {"train": ["train/00.jpg", "train/01.jpg"]}
    assert choose_samples(images[:0], boxes[:0], 4) == {}
