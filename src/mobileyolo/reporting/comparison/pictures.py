"""Held-out images with both models' boxes on them, chosen by rule, so that nobody picks what suits.

Boxes are those of the first seed's models, at the confidence to deploy each of them with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.results import CORNERS, ArmResult
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.shared.thumbnails import Box, Picture, take
from mobileyolo.verdict.error_types import TRUE_POSITIVE, ClassifiedBoxes, classify
from mobileyolo.verdict.records import ERROR_KINDS, ErrorKind

# A second cue beside the colour, for whoever can't tell the colours apart.
LETTERS: Mapping[ErrorKind, str] = {
    "class": "C",
    "location": "L",
    "both": "B",
    "duplicate": "D",
    "background": "F",  # false: nothing is there
    "missed": "M",
}
PAIRS_A_RULE = 2
EXAMPLES_AN_ARM = 8  # on the page of a kind of errors
MOST_BOXES = 200  # that are drawn in one picture, errors first
# Pixels of the longer side, and bytes of the JPEG.
PAIR_SIZE = (480, 40_000)
EXAMPLE_SIZE = (320, 22_000)


@dataclass(frozen=True)
class Boxes:
    """What is drawn on a picture: boxes by kind (an error's, `right` or `label`), and letters at errors.

    Attributes:
        counts: number of boxes by kind, of those that there are.
        outlines: SVG path by kind, in the order of drawing.
        letters: kind, letter, and the place of its lower left corner in pixels.
    """

    counts: Mapping[str, int]
    outlines: Mapping[str, str]
    letters: tuple[tuple[str, str, float, float], ...]


@dataclass(frozen=True)
class Pair:
    """One image with the boxes of both models, and their F1 on it."""

    image: str
    picture: Picture
    boxes: Mapping[Arm, Boxes]
    f1: Mapping[Arm, float]


@dataclass(frozen=True)
class Gallery:
    """Images where the candidate is furthest ahead, where it is furthest behind, and typical ones."""

    ahead: tuple[Pair, ...]
    behind: tuple[Pair, ...]
    typical: tuple[Pair, ...]


@dataclass(frozen=True)
class Example:
    """One error.

    Attributes:
        predicted: name of the predicted class; "" for a missed object.
        confidence: of the prediction; 0 for a missed object.
        actual: name of the class of the label that it is an error at; "" if there is none.
    """

    image: str
    picture: Picture
    boxes: Boxes
    predicted: str
    confidence: float
    actual: str


class HeldOutImages:
    """The held-out images, with what each model of the first seed found and missed on them."""

    def __init__(self, inputs: ReportInputs) -> None:
        """Find the kind of every box."""
        first: dict[Arm, ArmResult] = {arm: inputs.results[arm][0] for arm in ARMS}
        statistics = first["baseline"].statistics
        self._folder = inputs.data_dir
        self._names = statistics.names
        self._images = statistics.images
        self._boxes = {arm: classify(each.statistics, each.metrics.confidence) for arm, each in first.items()}

    def gallery(self) -> Gallery:
        """The images by rule: by difference in F1, ties by name."""
        f1 = pd.DataFrame({arm: self._f1(boxes) for arm, boxes in self._boxes.items()})
        f1 = f1.iloc[np.argsort(self._images["image"].to_numpy(), kind="stable")]
        lead = f1["candidate"] - f1["baseline"]
        ahead = lead[lead > 0].sort_values(ascending=False, kind="stable").index[:PAIRS_A_RULE]
        behind = lead[lead < 0].sort_values(kind="stable").index[:PAIRS_A_RULE]
        distance = (f1 - f1.median()).abs().sum(axis=1).drop([*ahead, *behind])
        typical = distance.sort_values(kind="stable").index[:PAIRS_A_RULE]
        return Gallery(*(tuple(self._pair(int(row), f1) for row in rows) for rows in (ahead, behind, typical)))

    def examples(self, kind: ErrorKind, arm: Arm) -> list[Example]:
        """The worst errors of a kind: the most confident ones, of missed objects the largest ones."""
        boxes = self._boxes[arm]
        if kind == "missed":
            missed = boxes.labels[boxes.labels["outcome"] == "missed"]
            area = (missed["x2"] - missed["x1"]) * (missed["y2"] - missed["y1"])
            worst = missed.loc[area.sort_values(ascending=False, kind="stable").index[:EXAMPLES_AN_ARM]]
            return [self._example(arm, kind, row) for _, row in worst.iterrows()]
        errors = boxes.predictions[boxes.predictions["outcome"] == kind]
        worst = errors.sort_values("confidence", ascending=False, kind="stable").head(EXAMPLES_AN_ARM)
        return [self._example(arm, kind, row) for _, row in worst.iterrows()]

    def _f1(self, boxes: ClassifiedBoxes) -> pd.Series[float]:
        """F1 of each image; 1 where nothing is labelled and nothing was found."""
        rows = pd.RangeIndex(len(self._images))
        right = boxes.predictions.loc[boxes.predictions["outcome"] == TRUE_POSITIVE, "image"]
        found, predicted, labelled = (
            image.value_counts().reindex(rows, fill_value=0)
            for image in (right, boxes.predictions["image"], boxes.labels["image"])
        )
        return (2 * found / (predicted + labelled)).fillna(1.0)

    def _pair(self, row: int, f1: pd.DataFrame) -> Pair:
        image = str(self._images["image"].iloc[row])
        picture = take(self._folder / image, None, *PAIR_SIZE)
        drawn = {arm: self._drawn(picture, row, self._kinds(arm, row)) for arm in ARMS}
        return Pair(image, picture, drawn, {arm: float(f1[arm].loc[row]) for arm in ARMS})

    def _kinds(self, arm: Arm, image: int) -> pd.DataFrame:
        """Boxes of an image with their kind: labels first, then right ones, then errors."""
        predictions, labels = self._boxes[arm].predictions, self._boxes[arm].labels
        own, labelled = predictions[predictions["image"] == image], labels[labels["image"] == image]
        kinds = pd.concat(
            [
                labelled.assign(kind=np.where(labelled["outcome"] == "missed", "missed", "label")),
                own.assign(kind=own["outcome"].replace(TRUE_POSITIVE, "right")),
            ]
        )
        order = {kind: place for place, kind in enumerate(("label", "right", *ERROR_KINDS))}
        return kinds.sort_values("kind", key=lambda kind: kind.map(order), kind="stable")

    def _drawn(self, picture: Picture, image: int, kinds: pd.DataFrame) -> Boxes:
        counts = {str(kind): len(own) for kind, own in kinds.groupby("kind", sort=False)}
        drawn = kinds.tail(MOST_BOXES)
        outlines = {
            str(kind): picture.outline(self._xywhn(image, own)) for kind, own in drawn.groupby("kind", sort=False)
        }
        return Boxes(counts, outlines, tuple(self._letters(picture, image, drawn)))

    def _letters(self, picture: Picture, image: int, kinds: pd.DataFrame) -> Iterator[tuple[str, str, float, float]]:
        errors = kinds[kinds["kind"].isin(ERROR_KINDS)]
        for kind, box in zip(errors["kind"], self._xywhn(image, errors), strict=True):
            if picture.shows(box):
                x, y = (box[0] - box[2] / 2) * picture.width, (box[1] - box[3] / 2) * picture.height
                # Inside the box's corner, and inside the view.
                size = 0.05 * max(picture.view.width, picture.view.height)
                left = min(max(x, picture.view.left), picture.view.right - size)
                yield kind, LETTERS[kind], left + 0.15 * size, max(y, picture.view.top) + size

    def _xywhn(self, image: int, boxes: pd.DataFrame) -> list[Box]:
        width, height = self._images.loc[image, ["width", "height"]].astype(float)
        x1, y1, x2, y2 = (boxes[corner].to_numpy(np.float64) for corner in CORNERS)
        columns = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _example(self, arm: Arm, kind: ErrorKind, row: pd.Series) -> Example:
        image = int(row["image"])
        (box,) = self._xywhn(image, row.to_frame().T)
        name = str(self._images["image"].iloc[image])
        picture = take(self._folder / name, box, *EXAMPLE_SIZE)
        around = self._kinds(arm, image)
        around = pd.concat([around[around["kind"].isin(("label", "right"))], row.to_frame().T.assign(kind=kind)])
        labels = self._boxes[arm].labels
        if kind == "missed":
            predicted, confidence, actual = "", 0.0, self._names[int(row["class_id"])]
        else:
            label = int(row["label"])
            actual = self._names[int(labels["class_id"].iloc[label])] if label >= 0 else ""
            predicted, confidence = self._names[int(row["class_id"])], float(row["confidence"])
        return Example(name, picture, self._drawn(picture, image, around), predicted, confidence, actual)
