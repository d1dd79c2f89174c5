"""Every file that crosses a stage: where it lies, what it holds, how it is read and written.

Records are JSON or YAML with a fixed order of keys, tables are Parquet or CSV. All are written whole or not at all
and hold neither times nor absolute paths, so that the same work gives the same bytes anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict

from mobileyolo.errors import DatasetError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

METRICS = ("map50", "map50_95", "precision", "recall")
IOU_THRESHOLDS = tuple(range(50, 100, 5))  # percent; the ten of mAP50-95
TRUE_POSITIVE_COLUMNS = tuple(f"tp_{threshold}" for threshold in IOU_THRESHOLDS)

CHECKED_FILE = Path("data/checked.txt")  # by the stage check
DIGITS_DIR = Path("data/raw/digits")  # by the stage digits
# The stage validate writes these.
DATASET_FILE = Path("data/dataset.yaml")
MANIFEST_DIR = Path("data/manifest")
VALIDATION_DIR = Path("reports/validation")
VERDICT_FILE = VALIDATION_DIR / "verdict.json"
FINDINGS_FILE = VALIDATION_DIR / "findings.csv"
DATA_DOCS_DIR = VALIDATION_DIR / "docs"
# The stage latency writes this, and compare the rest.
LATENCY_FILE = Path("reports/latency.json")
COMPARISON_FILE = Path("reports/comparison.json")
LEAD_FILE = Path("reports/metrics/comparison.json")
REPORT_FILE = Path("reports/index.html")
SUMMARY_FILE = Path("reports/summary.md")
PLOTS_DIR = Path("reports/plots")
FIGURES_DIR = Path("reports/figures")


def model_file(arm: str) -> Path:
    """The arm's architecture, as Ultralytics builds it."""
    return Path("models", arm, "model.yaml")


def profile_file(arm: str) -> Path:
    """The arm's cost."""
    return Path("models", arm, "profile.json")


def start_file(arm: str) -> Path:
    """Which weights the arm starts from, a `StartRecord`."""
    return Path("models", arm, "start.json")


def start_weights_file(arm: str) -> Path:
    """The tensors that the arm starts from, by name in the arm; the others start at random."""
    return Path("models", arm, "start.pt")


@dataclass(frozen=True)
class FetchedWeights:
    """Where the copy of weights from elsewhere lies, by role (backbone, detector, teacher)."""

    role: str

    @property
    def folder(self) -> Path:
        """Folder of the copy."""
        return Path("models/weights", self.role)

    @property
    def source(self) -> Path:
        """What was read, a `Source`."""
        return self.folder / "source.json"

    @property
    def weights(self) -> Path:
        """Tensors by name, or of a teacher the checkpoint; missing where no file is named."""
        return self.folder / "weights.pt"


@dataclass(frozen=True)
class ModelFiles:
    """Where one trained model's files lie."""

    arm: str
    seed: int

    @property
    def _folder(self) -> Path:
        return Path("models", self.arm, f"s{self.seed}")

    @property
    def teacher_folder(self) -> Path:
        """What the stage teach writes for this model."""
        return Path("models", self.arm, "teacher", f"s{self.seed}")

    @property
    def teacher(self) -> Path:
        """Who teaches this model, a `Teacher`."""
        return self.teacher_folder / "teacher.json"

    @property
    def teacher_weights(self) -> Path:
        """Checkpoint of the teacher; missing where there is none."""
        return self.teacher_folder / "teacher.pt"

    @property
    def weights(self) -> Path:
        """Checkpoint of the best epoch, loadable by Ultralytics."""
        return self._folder / "best.pt"

    @property
    def history(self) -> Path:
        """Losses and validation metrics, one row an epoch."""
        return self._folder / "history.csv"

    @property
    def training(self) -> Path:
        """What was trained, a `TrainingRecord`."""
        return self._folder / "training.json"

    @property
    def metrics(self) -> Path:
        """Held-out metrics, a `MetricsRecord`: what `dvc metrics` shows."""
        return Path("reports/metrics", self.arm, f"s{self.seed}.json")

    @property
    def statistics(self) -> Path:
        """Folder of the per-image statistics, a `Statistics`."""
        return Path("reports/statistics", self.arm, f"s{self.seed}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends, and vanishes when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when the block ends, and vanishes when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
        content = Path(temporary, "content")
        content.mkdir()
        yield content
        shutil.rmtree(path, ignore_errors=True)
        content.rename(path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with Unix line ends, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table, whole or not at all, as Parquet or CSV by the path's ending."""
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            table.to_csv(temporary, index=False, lineterminator="\n")


def digest_of(value: object) -> str:
    """SHA-256 of a JSON value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping, such as a model dictionary."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


class Record(BaseModel):
    """Base of the records that cross a stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record from JSON or, by the path's ending, YAML."""
        text = path.read_text(encoding="utf-8")
        return cls.model_validate(yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text))

    def write(self, path: Path) -> None:
        """Write the record as JSON or, by the path's ending, YAML."""
        values = self.model_dump(mode="json")
        if path.suffix == ".yaml":
            write_text(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        else:
            write_text(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


class SplitCount(Record):
    """How much one split holds."""

    images: int
    boxes: int


Severity = Literal["error", "warning"]


class FindingCount(Record):
    """How often validation found one kind of fault."""

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

    IMAGE_COLUMNS = ("split", "image", "label", "width", "height", "bytes", "sha256")
    BOX_COLUMNS = ("image", "line", "class_id", "x", "y", "w", "h")

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


class Source(Record):
    """Weights from elsewhere, or their absence: models/weights/<role>/source.json."""

    name: str  # as params.yaml has it, without folders
    digest: str | None = None  # SHA-256 of the file; None where no file is named


class Start(Record):
    """How much of a model's state starts from weights from elsewhere; the rest is random."""

    sources: dict[str, Source]  # by role; those that gave something
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
    """The same with the tensors that start at random: models/<arm>/start.json."""

    offered: dict[str, Source]  # by role, to both arms
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


Verdict = Literal["better", "worse", "inconclusive"]


class MetricDelta(Record):
    """One metric of both arms (means over seeds) and the candidate's lead, with its paired interval."""

    baseline: float
    candidate: float
    delta: float  # candidate - baseline
    low: float
    high: float
    verdict: Verdict


class CostRatio(Record):
    """One cost of both arms and candidate / baseline; low and high are the quartiles where it was timed."""

    baseline: float
    candidate: float
    ratio: float
    low: float | None = None
    high: float | None = None


class ArmSummary(Record):
    """Who stood on one side of the comparison."""

    backbone: str
    width: float | None
    start: Start
    teachers: tuple[Teacher, ...]  # by seed
    weights_digests: tuple[str, ...]  # by seed
    best_epochs: tuple[int, ...]  # by seed


class Comparison(Record):
    """The answer: reports/comparison.json."""

    verdict: Verdict  # of map50_95
    reason: str  # the verdict in a sentence
    baseline: ArmSummary
    candidate: ArmSummary
    metrics: dict[str, MetricDelta]  # by METRICS
    costs: dict[str, CostRatio]  # parameters, gflops, weights_mb, latency_ms, latency_onnx_ms
    timing: str  # what the latencies were measured with
    split: str
    images: int
    seeds: tuple[int, ...]
    confidence: float
    resamples: int
    seed_sd: float  # assumed, of one model over seeds, where there is one seed only
    margin: float
    data_digest: str
    recipe_digest: str


class Lead(Record):
    """The candidate's lead as plain numbers, for `dvc metrics` and `dvc exp show`: reports/metrics/comparison.json."""

    delta_map50: float
    delta_map50_95: float
    delta_map50_95_low: float
    delta_map50_95_high: float
    parameters_ratio: float
    gflops_ratio: float

    @classmethod
    def of(cls, comparison: Comparison) -> Lead:
        """The numbers of a comparison; no latency, so that the same work gives the same bytes."""
        deciding = comparison.metrics["map50_95"]
        return cls(
            delta_map50=comparison.metrics["map50"].delta,
            delta_map50_95=deciding.delta,
            delta_map50_95_low=deciding.low,
            delta_map50_95_high=deciding.high,
            parameters_ratio=comparison.costs["parameters"].ratio,
            gflops_ratio=comparison.costs["gflops"].ratio,
        )
