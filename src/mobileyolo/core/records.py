"""What the files that cross a stage hold: records (JSON or YAML, keys in a fixed order) and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.files import MANIFEST_DIR, Record, write_table

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

METRICS = ("map50", "map50_95", "precision", "recall")
IOU_THRESHOLDS = tuple(range(50, 100, 5))  # percent; the ten of mAP50-95
TRUE_POSITIVE_COLUMNS = tuple(f"tp_{threshold}" for threshold in IOU_THRESHOLDS)


class SplitCount(Record):
    """How much one split holds."""

    images: int
    boxes: int


Severity = Literal["error", "warning"]
Suite = Literal["faults", "quality"]  # what is wrong, which stops the pipeline beyond a tolerance; what is unwise
SUITES: tuple[Suite, ...] = ("faults", "quality")
SEVERITIES: tuple[Severity, ...] = ("error", "warning")


class FindingCount(Record):
    """How often validation found one kind of finding."""

    suite: Suite
    severity: Severity
    count: int
    rows: int  # that could have had it
    share: float  # count / rows
    tolerance: float


class ValidationVerdict(Record):
    """Whether the dataset may be trained on: reports/validation/verdict.json."""

    passed: bool
    findings: dict[str, FindingCount]  # by kind; only those that were found

    def caveats(self) -> list[str]:
        """What was let through and takes something from every figure that is measured on this dataset."""
        shared = self.findings.get("image_in_two_splits")
        if shared is None:
            return []
        return [
            f"{shared.count} of {shared.rows} images are in two splits, which validate.tolerance lets through: the "
            "models may have learnt from what measures them."
        ]


class DatasetCard(Record):
    """What validation found the dataset to be: data/dataset.yaml.

    The digest covers names, splits, labels and the bytes of every image, but not where the dataset lies, so that
    moving it trains nothing again.
    """

    digest: str
    names: tuple[str, ...]  # class names by id
    splits: dict[Split, SplitCount]  # only those that the dataset has

    def held_out(self, asked: str) -> Split:
        """The split to measure on: one that did not choose the checkpoint where there is one.

        Args:
            asked: test, val, or auto for test where the dataset has one, else val.

        Raises:
            DatasetError: the dataset does not have that split, or no box in it to measure against.
        """
        split: Split = "val" if asked == "val" or (asked == "auto" and "test" not in self.splits) else "test"
        if split not in self.splits:
            raise DatasetError(f"evaluate.split: the dataset has no {split!r}, only {', '.join(self.splits)}")
        if not self.splits[split].boxes:
            raise DatasetError(f"evaluate.split: {split!r} has no labelled box to measure against")
        return split


@dataclass(frozen=True)
class Manifest:
    """The clean rows of a dataset, as the trainer reads them: data/manifest/.

    images: split, image and label (paths below data.dir, with forward slashes; label "" where there is none),
        width, height (pixels, as decoded), bytes, sha256; sorted by split and image.
    boxes: image, line (1-based, in the label file), class_id, x, y, w, h (xywhn: centre and size in [0, 1]);
        in the order of images and lines.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame

    # Types by column.
    IMAGE_COLUMNS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("split", "image", "label"), "string"),
        **dict.fromkeys(("width", "height", "bytes"), "int64"),
        "sha256": "string",
    }
    BOX_COLUMNS: ClassVar[Mapping[str, str]] = {
        "image": "string",
        **dict.fromkeys(("line", "class_id"), "int64"),
        **dict.fromkeys(("x", "y", "w", "h"), "float64"),
    }

    @classmethod
    def read(cls, folder: Path = MANIFEST_DIR) -> Manifest:
        """Read both tables."""
        return cls(pd.read_parquet(folder / "images.parquet"), pd.read_parquet(folder / "boxes.parquet"))

    def write(self, folder: Path = MANIFEST_DIR) -> None:
        """Write both tables."""
        write_table(folder / "images.parquet", self.images[list(self.IMAGE_COLUMNS)])
        write_table(folder / "boxes.parquet", self.boxes[list(self.BOX_COLUMNS)])


class Profile(Record):
    """What an arm costs, fused for inference: models/<arm>/profile.json."""

    backbone: str
    imgsz: int  # pixels
    classes: int
    parameters: int
    gflops: float  # 2 x multiply-adds / 1e9, one image of imgsz x imgsz


class WeightsSource(Record):
    """Weights from elsewhere, or their absence: models/weights/<role>/source.json."""

    name: str  # as params.yaml has it, without folders
    digest: str | None = None  # SHA-256 of the file; None where no file is named


class Start(Record):
    """How much of a model's state starts from weights from elsewhere; the rest is random."""

    sources: dict[str, WeightsSource]  # by role; those that gave something
    tensors: int
    of_tensors: int
    values: int
    of_values: int

    @property
    def share(self) -> float:
        """Values that start from elsewhere, of all."""
        return self.values / self.of_values

    def __str__(self) -> str:
        """The transfer in a few words."""
        names = " and ".join(source.name for source in self.sources.values())
        millions = f"{self.values / 1e6:.2f} of {self.of_values / 1e6:.2f} M values"
        return f"{self.tensors} of {self.of_tensors} tensors, {millions} from {names}" if names else "random weights"


class StartRecord(Start):
    """An arm's backbone, and the weights that it starts from: models/<arm>/start.json."""

    backbone: str
    offered: dict[str, WeightsSource]  # by role, to both arms
    random: tuple[str, ...]  # names

    def summary(self) -> Start:
        """Without the names."""
        return Start(**self.model_dump(include=set(Start.model_fields)))


class Teacher(Record):
    """Who teaches a model: models/<arm>/teacher/s<seed>/teacher.json."""

    name: str  # none, the baseline's backbone and seed, or the checkpoint's name
    digest: str | None = None  # of the baseline's tensors, or SHA-256 of the checkpoint; None without a teacher
    dis: float = 0.0  # weight of the distillation loss
    both_arms: bool = False  # a checkpoint teaches both, the baseline only the candidate


class TrainingPlan(Record):
    """What is to be trained."""

    arm: str
    backbone: str
    width: float | None  # MobileNetV1's width multiplier alpha; None for stock backbones
    seed: int
    data_digest: str
    recipe: dict[str, bool | int | float | str]  # the train section, but for the teacher
    start: Start
    teacher: Teacher
    engine: dict[str, str]  # versions of Ultralytics and PyTorch, kind of device
    recipe_digest: str  # of all that has to be equal for two models to be comparable


class TrainingRecord(TrainingPlan):
    """What was trained: models/<arm>/s<seed>/training.json."""

    best_epoch: int  # 1-based, by validation fitness
    weights_digest: str  # of the tensors in best.pt


class MetricsRecord(Record):
    """Held-out metrics of one trained model: reports/metrics/<arm>/s<seed>.json."""

    map50: float
    map50_95: float
    precision: float  # mean over classes, at the confidence where the mean F1 is highest
    recall: float  # at the same confidence
    parameters: int
    gflops: float
    weights_mb: float  # megabytes (1e6 bytes) of the stored tensors, half precision


class EngineLatency(Record):
    """Forward passes of both arms in turn, in one engine."""

    engine: str  # name, version, and what it ran
    rounds_ms: dict[str, tuple[float, ...]]  # by arm, one value a round


class LatencyRecord(Record):
    """Forward passes of both fused arms, in one process: reports/latency.json."""

    imgsz: int  # pixels
    threads: int
    machine: str
    engines: dict[str, EngineLatency]  # by the cost's name: latency_ms in PyTorch, latency_onnx_ms in ONNX Runtime
