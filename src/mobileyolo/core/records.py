"""The content of the files that pass from stage to stage: records (JSON or YAML, keys in a fixed order) and tables."""

from __future__ import annotations

from typing import Literal

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.files import Record

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

METRICS = ("map50_95", "map50", "map75")  # means over the classes; they need no confidence to be chosen
DEPLOYED_METRICS = ("precision", "recall", "f1")  # over all boxes, at the confidence that was chosen on val
IOU_THRESHOLDS = tuple(range(50, 100, 5))  # percent; the ten of mAP50-95
TRUE_POSITIVE_COLUMNS = tuple(f"tp_{threshold}" for threshold in IOU_THRESHOLDS)


class SplitCount(Record):
    """Counts of one split."""

    images: int
    boxes: int


Severity = Literal["error", "warning"]
Suite = Literal["faults", "quality"]  # faults above a tolerance stop the pipeline; quality findings never do
SUITES: tuple[Suite, ...] = ("faults", "quality")
SEVERITIES: tuple[Severity, ...] = ("error", "warning")


class FindingCount(Record):
    """How often validation found one kind of finding."""

    suite: Suite
    severity: Severity
    count: int
    rows: int  # rows that were checked for it
    share: float  # count / rows
    tolerance: float


class ValidationVerdict(Record):
    """Whether the dataset may be trained on: reports/validation/verdict.json."""

    passed: bool
    findings: dict[str, FindingCount]  # by kind; only kinds that were found


class DatasetCard(Record):
    """What validation found the dataset to be: data/dataset.yaml.

    The digest covers names, splits, labels and the bytes of every image, but not the dataset's path. So moving the
    dataset does not train anything again.
    """

    digest: str
    names: tuple[str, ...]  # class names by id
    splits: dict[Split, SplitCount]  # only those that the dataset has

    def held_out(self, asked: str) -> Split:
        """The split to measure on. `val` also chose the checkpoints, so `test` is better if the dataset has it.

        Args:
            asked: test, val, or auto, which is test if the dataset has it, else val.

        Raises:
            DatasetError: the dataset does not have that split, or the split has no box.
        """
        split: Split = "val" if asked == "val" or (asked == "auto" and "test" not in self.splits) else "test"
        if split not in self.splits:
            raise DatasetError(f"evaluate.split: the dataset has no {split!r}, only {', '.join(self.splits)}")
        if not self.splits[split].boxes:
            raise DatasetError(f"evaluate.split: {split!r} has no labelled box to measure against")
        return split


class Profile(Record):
    """What an arm costs, fused for inference: models/<arm>/profile.json."""

    backbone: str
    imgsz: int  # pixels
    classes: int
    parameters: int
    gflops: float  # 2 x multiply-adds / 1e9, one image of imgsz x imgsz


class WeightsSource(Record):
    """A file of pretrained weights."""

    name: str  # without folders
    digest: str  # SHA-256 of the file


class Fetched(Record):
    """What params.yaml names for a role: models/weights/<role>/fetched.json."""

    name: str  # of the file or folder, without folders before it; or `none`, or `baseline`
    files: tuple[WeightsSource, ...] = ()  # of a folder all, in order of name


class OfferRecord(Record):
    """What both arms could start from, of which each takes what fits: models/<arm>/offer.json."""

    files: dict[str, tuple[WeightsSource, ...]]  # by role


class Start(Record):
    """How much of a model is initialised from pretrained weights; the rest is random."""

    sources: dict[str, WeightsSource]  # by role; only those that the model took something from
    tensors: int
    of_tensors: int
    values: int
    of_values: int

    @property
    def share(self) -> float:
        """Share of the values that are pretrained."""
        return self.values / self.of_values

    def __str__(self) -> str:
        """Such as `312 of 475 tensors, 1.63 of 1.86 M values from yolo11n.pt`, or `random weights`."""
        names = " and ".join(source.name for source in self.sources.values())
        millions = f"{self.values / 1e6:.2f} of {self.of_values / 1e6:.2f} M values"
        return f"{self.tensors} of {self.of_tensors} tensors, {millions} from {names}" if names else "random weights"


class StartRecord(Start):
    """An arm's backbone, and its initial weights: models/<arm>/start.json."""

    backbone: str
    random: tuple[str, ...]  # names of the tensors that start at random

    def summary(self) -> Start:
        """The same without the tensors' names."""
        return Start(**self.model_dump(include=set(Start.model_fields)))


class Teacher(Record):
    """The teacher of a model (distillation): models/<arm>/teacher/s<seed>/teacher.json."""

    name: str  # `none`, a trained teacher's backbone, the baseline's backbone and seed, or the checkpoint's name
    digest: str | None = None  # of a trained model's tensors, or of the checkpoint; None if there is no teacher
    dis: float = 0.0  # weight of the distillation loss
    both_arms: bool = False  # does it teach both arms, and not the candidate alone?


class TrainingPlan(Record):
    """All that is known of a training before it begins."""

    arm: str
    backbone: str
    width: float | None  # MobileNetV1's width multiplier alpha; None for stock backbones
    seed: int
    data_digest: str
    recipe: dict[str, bool | int | float | str]  # the train section, without the teacher
    start: Start
    teacher: Teacher
    engine: dict[str, str]  # versions of the libraries, kind of device, threads, instruction set, loader workers
    recipe_digest: str  # of all that must be equal in two models that are compared

    @property
    def gpus(self) -> int:
        """How many train it; 1 where the CPU does."""
        return int(self.engine.get("gpus", "1"))


class TrainingRecord(TrainingPlan):
    """A finished training: models/<arm>/s<seed>/training.json."""

    best_epoch: int  # counted from 1; the epoch with the highest fitness on val
    weights_digest: str  # of the tensors in best.pt


class CocoAP(Record):
    """COCO's average precision by pycocotools' rules: 101 recalls, and areas of objects in pixels squared.

    The 100 most confident boxes of each image count. None where no labelled object has that size.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float | None  # area under 32 squared
    ap_medium: float | None
    ap_large: float | None  # area over 96 squared


class MetricsRecord(Record):
    """Held-out metrics of one trained model: reports/metrics/<arm>/s<seed>.json."""

    map50_95: float
    map50: float
    map75: float
    val_map50_95: float  # of the same checkpoint on val; for choosing between candidates
    confidence: float  # to deploy with: the one with the highest F1 over all boxes of val
    precision: float | None  # over all boxes, at that confidence; None where nothing was predicted
    recall: float  # likewise
    f1: float  # likewise
    coco: CocoAP
    parameters: int
    gflops: float
    weights_mb: float  # megabytes (1e6 bytes) of the stored tensors, half precision

    def numbers(self) -> dict[str, float]:
        """All that is not None, by name; COCO's as `coco/ap`, `coco/ap_small` ..."""
        values = self.model_dump(exclude={"coco"})
        values |= {f"coco/{name}": value for name, value in self.coco.model_dump().items()}
        return {name: value for name, value in values.items() if value is not None}


class TrainingTime(Record):
    """When and where a model was trained: reports/times/<arm>/s<seed>.json. No result depends on it."""

    started: str  # UTC, ISO 8601, whole seconds
    seconds: float  # without the time between a stop and going on
    machine: str
    threads: int
    stops: tuple[int, ...] = ()  # epochs after which the training was stopped, and went on later


class LatencySetting(Record):
    """What is timed in a pass."""

    engine: str  # name, version and device
    batch: int  # images in a pass
    height: int  # pixels, of the input
    width: int
    suppression: bool  # is non-maximum suppression timed too, at the confidence to deploy each arm with?


class Timing(LatencySetting):
    """Times of both arms' trained models in one setting, on the same images.

    A round is four passes: baseline, candidate, candidate, baseline. An arm's time in it is the mean of its two.
    """

    rounds_ms: dict[str, tuple[float, ...]]  # by arm, one value for each round; milliseconds a pass


class LatencyRecord(Record):
    """Latency of both fused models, measured in one process: reports/latency.json."""

    measured: str  # UTC, ISO 8601, whole seconds
    machine: str
    threads: int
    timings: dict[str, Timing]  # by name: latency_ms, latency_onnx_ms, latency_batch8_ms, latency_nms_ms ...


class SeedSpread(Record):
    """Standard deviation of one model's metrics over seeds, pooled over models that were trained with several."""

    metrics: dict[str, float]  # by METRICS
    degrees: int  # of freedom: the sum of (seeds - 1)
    models: int  # trained models that it was measured on


class History(Record):
    """What the tracking store knows of the same data: reports/history.json.

    `spread` is of the same recipe, and without the models of this comparison.
    """

    candidates: int  # distinct ones measured on the held-out images, this one included
    spread: SeedSpread | None
