from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mobileyolo.core.records import IOU_THRESHOLDS, TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import BOX_STEPS, BOXES_AN_IMAGE, CORNERS, Statistics

TABLES = ("images", "predictions", "boxes", "targets", "thresholds", "per_class")


def make_statistics(images: int, predictions: int) -> Statistics:
    """Statistics of a detector of 80 classes, of which each is found twice as often as the one after the next ten.

    Args:
        images: number of images, with six labelled boxes on average.
        predictions: in each image. Confidences are spread over three powers of ten; about five are true positives.
    """
    random = np.random.default_rng(0)
    share = 0.5 ** (np.arange(80) / 10)
    rows = images * predictions
    confidence = -np.sort(-(10 ** random.uniform(-3, 0, (images, predictions)))).astype(np.float32).ravel()
    iou = np.where(random.random(rows) < 0.12 * confidence, random.uniform(0.5, 1, rows), 0)
    kept = np.flatnonzero(np.tile(np.arange(predictions) < BOXES_AN_IMAGE, images))
    counts = random.poisson(6, images)
    return Statistics(
        split="test",
        measured={"iou": "0.7"},
        names=("NA", *(f"{number:02}" for number in range(1, 80))),  # which a CSV reader takes for something else
        images=pd.DataFrame(
            {"image": [f"test/images/{number:012}.jpg" for number in range(images)], "width": 640, "height": 480}
        ),
        predictions=pd.DataFrame(
            {
                "image": np.repeat(np.arange(images, dtype=np.int32), predictions),
                "class_id": random.choice(80, rows, p=share / share.sum()).astype(np.int32),
                "confidence": confidence,
                **{
                    name: iou >= threshold / 100
                    for name, threshold in zip(TRUE_POSITIVE_COLUMNS, IOU_THRESHOLDS, strict=True)
                },
            }
        ),
        boxes=pd.DataFrame({"row": kept.astype(np.int32)}).assign(
            **dict(
                zip(CORNERS, (random_corners(random, len(kept)) * BOX_STEPS).round().astype(np.uint16).T, strict=True)
            )
        ),
        targets=pd.DataFrame(
            {
                "image": np.repeat(np.arange(images, dtype=np.int32), counts),
                "class_id": random.choice(80, counts.sum(), p=share / share.sum()).astype(np.int32),
            }
        ).assign(
            **dict(
                zip(
                    CORNERS,
                    (random_corners(random, counts.sum()) * (640, 480, 640, 480)).astype(np.float32).T,
                    strict=True,
                )
            )
        ),
        thresholds=pd.DataFrame(
            {"confidence": [0.0, 1.0], "precision": [0.5, np.nan], "recall": [1.0, 0.0], "f1": [0.6, 0]}
        ),
        confusion=np.eye(81, dtype=np.int64),
        per_class=pd.DataFrame(
            {
                "class_id": [0, 1],
                "name": ["NA", "01"],
                "images": 3,
                "boxes": 4,
                "precision": [0.25, np.nan],
                "recall": 0.5,
            }
        ),
    )


def random_corners(random: np.random.Generator, count: int) -> np.ndarray:
    """Corners in shares of the image's sides, (count, 4)."""
    left_top, sides = random.uniform(0, 0.8, (count, 2)), random.lognormal(-2.5, 0.6, (count, 2)).clip(0.01, 0.2)
    return np.hstack((left_top, left_top + sides))


def test_statistics_of_5000_images_fit_into_10_megabytes(tmp_path: Path) -> None:
    make_statistics(5000, 300).write(tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sum(sizes.values()) < 10e6, sizes


@pytest.mark.parametrize("predictions", [0, 7, 150])
def test_statistics_are_read_back_as_they_were_written(tmp_path: Path, predictions: int) -> None:
    statistics = make_statistics(20, predictions)
    statistics.write(tmp_path)
    read = Statistics.read(tmp_path)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(read, name), getattr(statistics, name))
    np.testing.assert_array_equal(read.confusion, statistics.confusion)
    assert (read.split, read.measured, read.names) == (statistics.split, statistics.measured, statistics.names)


def test_statistics_are_written_as_the_same_bytes_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        make_statistics(20, 7).write(tmp_path / folder)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
