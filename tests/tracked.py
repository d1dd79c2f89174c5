"""Runs as a store has them, without a store."""

from __future__ import annotations

from mobileyolo.leaderboard.runs import TrackedRun


def make_run(
    backbone: str = "mnv1_n",
    seed: int = 0,
    map50_95: float | None = 0.5,
    *,
    arm: str = "candidate",
    dataset: str = "shapes",
    status: str = "FINISHED",
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    metrics: dict[str, float] | None = None,
) -> TrackedRun:
    """A model that was trained and, unless it has no mAP, measured on test.

    Args:
        backbone: its name.
        seed: of the training.
        map50_95: None for a model that was not measured.
        arm: baseline, candidate or teacher.
        dataset: name of its folder.
        status: MLflow's.
        params: more parameters, or others.
        tags: likewise.
        metrics: likewise.
    """
    known = {"backbone": backbone, "seed": str(seed), "train.imgsz": "64", "train.epochs": "2", "train.lr0": "0.01"}
    told = {"arm": arm, "data.digest": "d" * 64, "recipe.digest": "r" * 64, "torch": "2.14.1", "weights.digest": "w"}
    measured = {} if map50_95 is None else {"map50_95": map50_95, "map50": 0.75, "parameters": 2e6}
    if measured:
        told |= {"evaluate.split": "test", "measured.test": "true", "stage": "evaluated"}
    return TrackedRun(
        dataset,
        status,
        known | {"train.teacher": "none", "train.dis": "0.0"} | (params or {}),
        told | (tags or {}),
        measured | (metrics or {}),
    )


def compared(
    delta: float, against: str = "yolo11n", verdict: str = "worse", provisional: bool = False
) -> tuple[dict[str, str], dict[str, float]]:
    """Tags and metrics that a comparison logs: an interval of 0.25 to both sides, and latency 0.75 (0.5 to 1)."""
    tags = {"stage": "compared", "compared.with": against, "verdict": verdict, "provisional": str(provisional).lower()}
    ends = {"delta/map50_95_low": delta - 0.25, "delta/map50_95_high": delta + 0.25}
    latency = {"latency_ratio": 0.75, "latency_ratio_low": 0.5, "latency_ratio_high": 1.0}
    return tags, {"delta/map50_95": delta, **ends, **latency}
