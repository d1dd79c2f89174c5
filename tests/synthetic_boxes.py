"""Made-up predictions with errors of every kind, on made-up scenes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import BOX_STEPS, BOXES_AN_IMAGE, CORNERS, Statistics

SIZE = BOX_STEPS // 100  # pixels; a hundredth of a pixel is then one step, and stored corners are exact


def make_boxes(
    seed: int, images: int = 30, classes: int = 4, labels_per_image: float = 6, false_per_image: float = 8
) -> Statistics:
    """Predictions round the labels of random scenes: moved, doubled, of a wrong class, left out; and some anywhere.

    Args:
        seed: of scenes and predictions.
        images: number of images; every seventh has no label.
        classes: number of classes.
        labels_per_image: mean number of labels.
        false_per_image: mean number of predictions that lie anywhere.
    """
    random = np.random.default_rng(seed)
    counts = random.poisson(labels_per_image, images) * (np.arange(images) % 7 > 0)
    label_class = random.integers(classes, size=counts.sum())
    labels = _anywhere(random, counts.sum())
    # Each label gets 0 to 3 predictions. The further their corners move, the lower their IoU.
    source = np.repeat(np.arange(counts.sum()), random.choice(4, counts.sum(), p=[0.2, 0.4, 0.25, 0.15]))
    sides = labels[source][:, [2, 3, 2, 3]] - labels[source][:, [0, 1, 0, 1]]
    moved = labels[source] + sides * random.normal(0, 1, (source.size, 4)) * random.uniform(0, 0.5, (source.size, 1))
    mistaken = random.random(source.size) < 0.2
    anywhere = random.poisson(false_per_image, images)
    image = np.append(np.repeat(np.arange(images), counts)[source], np.repeat(np.arange(images), anywhere))
    corners = np.concatenate((moved, _anywhere(random, anywhere.sum())))
    corners = np.column_stack((np.sort(corners[:, [0, 2]]), np.sort(corners[:, [1, 3]])))[:, [0, 2, 1, 3]]
    corners = np.clip(corners, 0, SIZE)
    class_id = np.where(mistaken, random.integers(classes, size=source.size), label_class[source])
    class_id = np.append(class_id, random.integers(classes, size=anywhere.sum()))
    table = pd.DataFrame({"image": image, "class_id": class_id, "confidence": random.permutation(image.size) + 1.0})
    return statistics_of(
        table.assign(confidence=table["confidence"] / image.size, **dict(zip(CORNERS, corners.T, strict=True))),
        pd.DataFrame({"image": np.repeat(np.arange(images), counts), "class_id": label_class}).assign(
            **dict(zip(CORNERS, labels.T, strict=True))
        ),
        images,
        classes,
    )


def statistics_of(predictions: pd.DataFrame, labels: pd.DataFrame, images: int, classes: int) -> Statistics:
    """Statistics of predictions (image, class_id, confidence, corners) and labels (image, class_id, corners)."""
    predictions = predictions.sort_values(["image", "confidence"], ascending=[True, False], ignore_index=True)
    kept = predictions[predictions.groupby("image").cumcount() < BOXES_AN_IMAGE]
    steps = (kept[list(CORNERS)] / SIZE * BOX_STEPS).round().astype("uint16")
    names = [f"images/test/{number}.jpg" for number in range(images)]
    return Statistics(
        split="test",
        measured={},
        names=tuple(f"class {number}" for number in range(classes)),
        images=pd.DataFrame({"image": names}).assign(width=SIZE, height=SIZE),
        # No error type depends on Ultralytics' true positives.
        predictions=predictions.drop(columns=list(CORNERS)).assign(**dict.fromkeys(TRUE_POSITIVE_COLUMNS, False)),
        boxes=steps.assign(row=kept.index)[["row", *CORNERS]].reset_index(drop=True),
        targets=labels,
        thresholds=pd.DataFrame(),
        confusion=np.zeros((classes + 1, classes + 1), dtype=np.int64),
        per_class=pd.DataFrame(),
    )


def _anywhere(random: np.random.Generator, count: int) -> np.ndarray:
    """Boxes of 40 to 160 pixels a side, xyxy; shape (count, 4)."""
    sides = random.uniform(40, 160, (count, 2))
    start = random.uniform(0, 1, (count, 2)) * (SIZE - sides)
    return np.concatenate((start, start + sides), axis=1)
