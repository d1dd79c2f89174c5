"""The answer: what the stage compare writes."""

from __future__ import annotations

from typing import Literal

from mobileyolo.core.files import Record
from mobileyolo.core.records import LatencySetting, Start, Teacher, TrainingTime

Verdict = Literal["better", "worse", "equivalent", "no worse", "no better", "inconclusive"]
VERDICTS: tuple[Verdict, ...] = ("better", "worse", "equivalent", "no worse", "no better", "inconclusive")
DECIDING_METRIC = "map50_95"  # its verdict is the comparison's

ErrorKind = Literal["class", "location", "both", "duplicate", "background", "missed"]  # TIDE's (arXiv 2008.08115)
ERROR_KINDS: tuple[ErrorKind, ...] = ("class", "location", "both", "duplicate", "background", "missed")

Maturity = Literal["learnt", "rising", "untrained"]


class Interval(Record):
    """A difference, candidate - baseline, with the ends of its interval."""

    delta: float
    low: float
    high: float


class MetricDelta(Interval):
    """One metric of both arms (means over seeds), and the difference with its interval.

    The interval's half-width is made of two parts, added in quadrature: `images_below` or `images_above`, and `luck`.
    """

    baseline: float
    candidate: float
    images_below: float  # half-width below delta that the choice of images gives
    images_above: float
    luck: float  # half-width that the luck of training gives
    verdict: Verdict | None  # None for metrics at a chosen confidence, which decide nothing


class DeployedDelta(Record):
    """Precision, recall or F1 over all boxes at the confidence chosen on val, means over the seeds."""

    baseline: float | None  # None where nothing was predicted
    candidate: float | None
    interval: Interval | None  # None where one of both is


class ClassDelta(Interval):
    """mAP50-95 of one class in both arms. All classes' intervals hold together: they are simultaneous."""

    class_id: int
    name: str
    images: int
    boxes: int
    baseline: float
    candidate: float


class SizeAP(Record):
    """COCO's AP of one size of objects (means over seeds); None where no labelled object has it."""

    size: str  # all, AP50, AP75, small, medium, large
    baseline: float | None
    candidate: float | None


class ErrorCost(Interval):
    """AP50 that errors of one kind cost: what it would gain if only they were corrected, as TIDE defines it."""

    kind: ErrorKind
    baseline: float
    candidate: float
    baseline_count: float  # errors a model, mean over the seeds
    candidate_count: float


class Spread(Record):
    """The luck of training: standard deviation of one model's mAP50-95 over seeds."""

    sd: float  # that the interval uses
    degrees: int  # of freedom of Student's t
    measured: float | None  # pooled over both arms of this comparison; None with one seed
    assumed: float | None  # what counts for the missing degrees; None if none is missing
    source: Literal["params.yaml", "earlier runs", "curve"]  # of what is assumed
    models: int  # earlier models that the assumption was measured on; 0 for the other sources
    train_images: int  # where the curve was read


class Settling(Record):
    """What would settle the verdict, if the difference stayed as it is.

    None where no number up to the limit (50 seeds, 1,000,000 images) would.
    """

    settled: bool
    larger: Literal["images", "luck"]  # the larger part of the interval
    seeds: int | None  # in all, with the same images
    images: int | None  # in all, with the same seeds
    seeds_with_images: int | None  # both together: as many times more images as seeds
    images_with_seeds: int | None
    equivalent_margin: float  # the smallest margin at which this run would say equivalent
    no_worse_margin: float  # the smallest margin at which this run would say no worse; 0 if it always does


class Guards(Record):
    """What was looked at before a verdict was given."""

    scenes: int  # independent groups of the held-out images
    few_scenes: Literal["none", "caveat", "no verdict"]
    rare_classes: tuple[str, ...]  # names of the classes with few held-out boxes
    without_rare: Verdict | None  # the verdict without them; None if there are none, or no others
    candidates: int  # distinct ones that were measured on these images, this one included
    corrected: Interval  # the interval at the confidence that holds for all of them together
    corrected_confidence: float


class CostRatio(Record):
    """One cost of both arms, and candidate / baseline; only latencies have an interval (low, high) of the ratio."""

    baseline: float
    candidate: float
    ratio: float
    low: float | None = None
    high: float | None = None
    busy: bool = False  # the machine was busy: the times spread so much that no claim is made from them
    setting: LatencySetting | None = None  # of a latency


class ArmSummary(Record):
    """What one arm was."""

    backbone: str
    width: float | None
    start: Start
    teachers: tuple[Teacher, ...]  # by seed
    weights_digests: tuple[str, ...]  # by seed
    best_epochs: tuple[int, ...]  # by seed
    map50_95: tuple[float, ...]  # by seed
    val_map50_95: float  # mean over seeds
    confidences: tuple[float, ...]  # by seed; to deploy with
    maturity: Maturity
    times: tuple[TrainingTime, ...]  # by seed


class TrainedTeacher(Record):
    """The model that was trained to teach: on the same data, by the same recipe, without a teacher of its own."""

    backbone: str
    seed: int
    weights_digest: str
    map50_95: float  # on the split of the comparison
    val_map50_95: float


class Comparison(Record):
    """The answer: reports/comparison.json."""

    verdict: Verdict  # of DECIDING_METRIC, after the guards
    provisional: bool  # one seed only: the luck of training is assumed, not measured
    reason: str  # the verdict in sentences
    baseline: ArmSummary
    candidate: ArmSummary
    teacher: TrainedTeacher | None = None  # None if no model was trained to teach
    metrics: dict[str, MetricDelta]  # by METRICS
    deployed: dict[str, DeployedDelta]  # by DEPLOYED_METRICS
    classes: tuple[ClassDelta, ...]  # the largest loss first
    sizes: tuple[SizeAP, ...]
    errors: tuple[ErrorCost, ...]  # by ERROR_KINDS
    costs: dict[str, CostRatio]  # parameters, gflops, weights_mb, latency_ms, latency_onnx_ms ...
    spread: Spread
    settling: Settling
    guards: Guards
    latency_threads: int  # that the latencies were measured with
    latency_machine: str
    measured: str  # when the latencies were measured, just before the comparison; UTC, ISO 8601
    split: str
    images: int
    epochs: int
    seeds: tuple[int, ...]
    confidence: float
    resamples: int
    margin: float
    data_digest: str
    recipe_digest: str  # the baseline's, where each arm has one of its own


class ArmMetrics(Record):
    """Held-out metrics of one arm, means over its seeds."""

    map50_95: float
    map50: float
    val_map50_95: float  # on val; for choosing between candidates
    f1: float | None


class Headline(Record):
    """The answer as plain numbers, for `dvc metrics` and `dvc exp show`: reports/metrics.json.

    Names are short, because they become column headers. Latency is left out: it would differ from run to run.
    """

    verdict: Verdict
    provisional: bool
    delta: float  # of mAP50-95, candidate - baseline
    low: float
    high: float
    gflops: float  # candidate / baseline
    baseline: ArmMetrics
    candidate: ArmMetrics

    @classmethod
    def of(cls, comparison: Comparison) -> Headline:
        """The numbers of a comparison."""
        deciding = comparison.metrics[DECIDING_METRIC]
        arms = {}
        for arm in ("baseline", "candidate"):
            arms[arm] = ArmMetrics(
                map50_95=getattr(deciding, arm),
                map50=getattr(comparison.metrics["map50"], arm),
                val_map50_95=getattr(comparison, arm).val_map50_95,
                f1=getattr(comparison.deployed["f1"], arm),
            )
        return cls(
            verdict=comparison.verdict,
            provisional=comparison.provisional,
            delta=deciding.delta,
            low=deciding.low,
            high=deciding.high,
            gflops=comparison.costs["gflops"].ratio,
            **arms,
        )
