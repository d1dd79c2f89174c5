"""The results of train and evaluate for one model: its records, and its predictions on every image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from mobileyolo.core.backbones import TEACHER
from mobileyolo.core.files import ModelFiles, is_none, offer_file, write_table, write_text
from mobileyolo.core.records import MetricsRecord, OfferRecord, TrainingRecord, TrainingTime

CORNERS = ("x1", "y1", "x2", "y2")
BOXES_AN_IMAGE = 100  # as COCO's evaluation takes
BOX_STEPS = 65_535  # of an image's side, which fit two bytes: 0.01 pixels of 640
# Columns of predictions.parquet and boxes.parquet in place of `confidence` and of x2 and y2.
_STEP = "confidence_step"
_SIDES = {"x2": "width", "y2": "height"}


class Detections(Protocol):
    """What a model predicted on images, and their labels: all that average precision needs; tables of `Statistics`."""

    @property
    def images(self) -> pd.DataFrame: ...  # noqa: D102 -- see Statistics

    @property
    def predictions(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def targets(self) -> pd.DataFrame: ...  # noqa: D102


@dataclass(frozen=True)
class Statistics:
    """A model's predictions on every held-out image, from which every metric of any resample can be computed.

    images: image (path below data.dir), width, height (pixels); one row for each evaluated image, in order of path.
    predictions: image (row number in images), class_id, confidence (float32), tp_50 ... tp_95 (true positive at that
        IoU threshold?); in order of image, then falling confidence.
    boxes: row (row number in predictions), x1, y1, x2, y2 (uint16, corners in 1 / 65535 of the image's width and
        height); the BOXES_AN_IMAGE most confident predictions of each image, in order of row.
    targets: image (row number in images), class_id, x1, y1, x2, y2 (pixels); one row for each labelled box.
    thresholds: confidence, precision, recall, f1 over all boxes of val at IoU 0.5, by rising confidence; precision is
        missing where nothing was predicted.
    confusion: (classes + 1) x (classes + 1) counts, row = predicted, column = actual, last = background.
    per_class: class_id, name, images, boxes, map50_95, map50, map75, and precision, recall, f1 at the confidence chosen
        on val (precision is missing where nothing was predicted); one row for each labelled class.
    """

    split: str
    measured: dict[str, str]  # settings of the measurement: the evaluate section and the engine, as text
    names: tuple[str, ...]
    images: pd.DataFrame
    predictions: pd.DataFrame
    boxes: pd.DataFrame
    targets: pd.DataFrame
    thresholds: pd.DataFrame
    confusion: np.ndarray
    per_class: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Statistics:
        """Read the statistics from a folder."""
        head = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        predictions, boxes = _restored(
            *(pd.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "boxes"))
        )
        return cls(
            split=head["split"],
            measured=head["measured"],
            names=tuple(head["names"]),
            confusion=np.asarray(head["confusion"], dtype=np.int64),
            images=pd.read_parquet(folder / "images.parquet"),
            predictions=predictions,
            boxes=boxes,
            targets=pd.read_parquet(folder / "targets.parquet"),
            thresholds=pd.read_csv(folder / "thresholds.csv"),
            # A class may be called NA.
            per_class=pd.read_csv(
                folder / "per_class.csv", keep_default_na=False, na_values={"precision": [""]}, dtype={"name": str}
            ),
        )

    def write(self, folder: Path) -> None:
        """Write the statistics into a folder."""
        head = {
            "split": self.split,
            "measured": self.measured,
            "names": list(self.names),
            "confusion": self.confusion.astype(int).tolist(),
        }
        write_text(folder / "evaluation.json", json.dumps(head, ensure_ascii=False) + "\n")
        predictions, boxes = _compact(self.predictions, self.boxes)
        tables: Mapping[str, pd.DataFrame] = {
            "images.parquet": self.images,
            "predictions.parquet": predictions,
            "boxes.parquet": boxes,
            "targets.parquet": self.targets,
            "thresholds.csv": self.thresholds,
            "per_class.csv": self.per_class,
        }
        for name, table in tables.items():
            write_table(folder / name, table)

    def predicted_boxes(self) -> pd.DataFrame:
        """The predictions that have a box: image, class_id, confidence, tp_50, x1, y1, x2, y2 (float64, pixels)."""
        rows = self.predictions.loc[self.boxes["row"], ["image", "class_id", "confidence", "tp_50"]]
        sizes = self.images.loc[rows["image"], ["width", "height", "width", "height"]].to_numpy(np.float64)
        corners = self.boxes[list(CORNERS)].to_numpy(np.float64) / BOX_STEPS * sizes
        return rows.assign(**dict(zip(CORNERS, corners.T, strict=True))).reset_index(drop=True)


def _compact(predictions: pd.DataFrame, boxes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The predictions and their boxes as they are written: with small numbers, which zstd shortens more.

    Within an image confidences fall slowly, so of their bits the differences are written, row by row. Of a box, its
    width and height take the place of x2 and y2.
    """
    bits = predictions["confidence"].to_numpy(np.float32).view(np.int32)
    steps = predictions.rename(columns={"confidence": _STEP}).assign(**{_STEP: np.diff(bits, prepend=np.int32(0))})
    sides = boxes.assign(x2=boxes["x2"] - boxes["x1"], y2=boxes["y2"] - boxes["y1"])
    return steps, sides.rename(columns=_SIDES)


def _restored(steps: pd.DataFrame, sides: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The reverse of `_compact`."""
    bits = steps[_STEP].to_numpy().cumsum(dtype=np.int32)
    predictions = steps.rename(columns={_STEP: "confidence"}).assign(confidence=bits.view(np.float32))
    boxes = sides.rename(columns={side: corner for corner, side in _SIDES.items()})
    return predictions, boxes.assign(x2=boxes["x2"] + boxes["x1"], y2=boxes["y2"] + boxes["y1"])


@dataclass(frozen=True)
class ArmResult:
    """One trained and evaluated model."""

    training: TrainingRecord
    metrics: MetricsRecord
    statistics: Statistics

    @classmethod
    def read(cls, arm: str, seed: int) -> ArmResult:
        """Read the files that the stages wrote."""
        files = ModelFiles(arm, seed)
        return cls(
            TrainingRecord.read(files.training), MetricsRecord.read(files.metrics), Statistics.read(files.statistics)
        )

    @classmethod
    def read_teacher(cls, seed: int) -> ArmResult | None:
        """Those of the trained teacher; None if no model was trained for it.

        Args:
            seed: the first one of params.yaml, with which it was trained.
        """
        return None if is_none(ModelFiles(TEACHER, seed).training) else cls.read(TEACHER, seed)

    @property
    def label(self) -> str:
        """The model's name in messages, such as `candidate s0`."""
        return f"{self.training.arm} s{self.training.seed}"


@dataclass(frozen=True)
class ArmEvidence:
    """All that is known of one arm; all but the offer have one entry for each seed.

    Attributes:
        offer: what it could start from.
        results: trained and evaluated models.
        histories: of their training, with the columns of history.csv.
        times: when and where they were trained.
    """

    offer: OfferRecord
    results: Sequence[ArmResult]
    histories: Sequence[pd.DataFrame]
    times: Sequence[TrainingTime]

    @classmethod
    def read(cls, arm: str, seeds: Sequence[int]) -> ArmEvidence:
        """Read the files that the stages wrote."""
        files = [ModelFiles(arm, seed) for seed in seeds]
        return cls(
            OfferRecord.read(offer_file(arm)),
            [ArmResult.read(arm, seed) for seed in seeds],
            [pd.read_csv(each.history) for each in files],
            [TrainingTime.read(each.time) for each in files],
        )

    def by_seed(self) -> ArmEvidence:
        """The same, in order of seed."""
        order = sorted(range(len(self.results)), key=lambda place: self.results[place].training.seed)
        return ArmEvidence(
            self.offer,
            [self.results[place] for place in order],
            [self.histories[place] for place in order],
            [self.times[place] for place in order],
        )
