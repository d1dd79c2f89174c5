"""A baseline and three candidates with two seeds each, logged as the stages log them, without a training."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from mobileyolo.core.records import DatasetCard, SplitCount, ValidationVerdict
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking import Tracker
from mobileyolo.verdict.records import Comparison
from tests.synthetic_comparison import make_inputs
from tests.synthetic_results import make_history

CARD = DatasetCard(
    digest="0123456789abcdef" * 4,
    names=("red", "white", "platelet", "other"),
    splits={
        "train": SplitCount(images=205, boxes=2050),
        "val": SplitCount(images=87, boxes=870),
        "test": SplitCount(images=72, boxes=720),
    },
)
BASELINE = "yolo11n"
# By backbone: width, mAP50-95 with seed 0, parameters, GFLOPs, and latency divided by the baseline's.
MADE_UP = {
    BASELINE: (None, 0.58, 2_580_000, 1.58, 1.0),
    "mnv1_n": (0.25, 0.44, 1_840_000, 1.06, 0.75),
    "mnv1_s": (0.5, 0.52, 2_600_000, 1.7, 0.9),
    "mnv1_m": (1.0, 0.56, 5_100_000, 3.6, 1.5),
}
SEEDS = 2
BEST_FIRST = tuple(f"{name}-s{seed}" for name in (BASELINE, "mnv1_m", "mnv1_s", "mnv1_n") for seed in (1, 0))


def log_compared(folder: Path) -> Tracker:
    """Log one comparison after the other.

    Args:
        folder: for files that are logged.
    """
    weights, page = folder / "best.pt", folder / "index.html"
    weights.write_bytes(b"weights")
    page.write_text("<h1>the report</h1>", encoding="utf-8")
    tracker = Tracker.open("cells", CARD)
    for candidate in MADE_UP:
        if candidate == BASELINE:
            continue
        inputs = make_inputs(seeds=SEEDS)
        comparison = _between(inputs.comparison, candidate)
        for arm, results in inputs.results.items():
            for result in results:
                made = _made_up(result, BASELINE if arm == "baseline" else candidate)
                history = make_history(made.training.seed, final=made.metrics.map50_95, epochs=10)
                tracker.log_validation(made.training, history, ValidationVerdict(passed=True, findings={}), [page])
                tracker.log_comparison(made, history, weights, comparison, [page])
    return tracker


def _between(comparison: Comparison, candidate: str) -> Comparison:
    width, map50_95, _, _, ratio = MADE_UP[candidate]
    delta = round(map50_95 - MADE_UP[BASELINE][1], 6)
    metric = comparison.metrics["map50_95"]
    costs = comparison.costs | {"latency_ms": comparison.costs["latency_ms"].model_copy(update={"ratio": ratio})}
    changed = metric.model_copy(update={"candidate": map50_95, "baseline": MADE_UP[BASELINE][1], "delta": delta})
    return comparison.model_copy(
        update={
            "candidate": comparison.candidate.model_copy(update={"backbone": candidate, "width": width}),
            "metrics": comparison.metrics | {"map50_95": changed},
            "costs": costs,
            "reason": f"{candidate} is worse.",
        }
    )


def _made_up(result: ArmResult, backbone: str) -> ArmResult:
    width, map50_95, parameters, gflops, _ = MADE_UP[backbone]
    seed = result.training.seed
    training = {
        "backbone": backbone,
        "width": width,
        "data_digest": CARD.digest,
        "weights_digest": hashlib.sha256(f"{backbone} {seed}".encode()).hexdigest(),
    }
    metrics = {"map50_95": round(map50_95 + seed / 100, 6), "parameters": parameters, "gflops": gflops}
    return dataclasses.replace(
        result,
        training=result.training.model_copy(update=training),
        metrics=result.metrics.model_copy(update=metrics),
    )
