"""The answer: what the stage compare writes."""

from __future__ import annotations

from typing import Literal

from mobileyolo.core.files import Record
from mobileyolo.core.records import Start, Teacher

Verdict = Literal["better", "worse", "inconclusive"]
DECIDING_METRIC = "map50_95"  # its verdict is the comparison's


class MetricDelta(Record):
    """One metric of both arms (means over seeds), and the difference with its interval."""

    baseline: float
    candidate: float
    delta: float  # candidate - baseline
    low: float
    high: float
    verdict: Verdict


class CostRatio(Record):
    """One cost of both arms, and candidate / baseline; low and high are quartiles, and only latencies have them."""

    baseline: float
    candidate: float
    ratio: float
    low: float | None = None
    high: float | None = None


class ArmSummary(Record):
    """What one arm was."""

    backbone: str
    width: float | None
    start: Start
    teachers: tuple[Teacher, ...]  # by seed
    weights_digests: tuple[str, ...]  # by seed
    best_epochs: tuple[int, ...]  # by seed


class Comparison(Record):
    """The answer: reports/comparison.json."""

    verdict: Verdict  # of DECIDING_METRIC
    reason: str  # the verdict in sentences
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
    seed_sd: float  # of one model's metrics over seeds; assumed if there is one seed only
    margin: float
    data_digest: str
    recipe_digest: str


class ArmMetrics(Record):
    """Held-out metrics of one arm, means over its seeds."""

    map50_95: float
    map50: float
    precision: float
    recall: float


class Headline(Record):
    """The answer as plain numbers, for `dvc metrics` and `dvc exp show`: reports/metrics.json.

    Names are short, because they become column headers. Latency is left out: it would differ from run to run.
    """

    verdict: Verdict
    delta: float  # of mAP50-95, candidate - baseline
    low: float
    high: float
    gflops: float  # candidate / baseline
    baseline: ArmMetrics
    candidate: ArmMetrics

    @classmethod
    def of(cls, comparison: Comparison) -> Headline:
        """The numbers of a comparison."""
        deciding, metrics = comparison.metrics[DECIDING_METRIC], comparison.metrics
        return cls(
            verdict=comparison.verdict,
            delta=deciding.delta,
            low=deciding.low,
            high=deciding.high,
            gflops=comparison.costs["gflops"].ratio,
            baseline=ArmMetrics(**{name: metric.baseline for name, metric in metrics.items()}),
            candidate=ArmMetrics(**{name: metric.candidate for name, metric in metrics.items()}),
        )
