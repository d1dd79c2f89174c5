"""A made-up comparison, built by hand, so that a test of the report can have every state."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.records import (
    LatencySetting,
    StartRecord,
    Teacher,
    TrainingRecord,
    TrainingTime,
    ValidationVerdict,
)
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.verdict.records import (
    ERROR_KINDS,
    ArmSummary,
    ClassDelta,
    Comparison,
    CostRatio,
    DeployedDelta,
    ErrorCost,
    Guards,
    Interval,
    MetricDelta,
    Settling,
    SizeAP,
    Spread,
)
from tests.synthetic_boxes import make_boxes
from tests.synthetic_results import RANDOM, make_cost_sheet, make_metrics

DIGEST = hashlib.sha256(b"made up").hexdigest()
SETTING = LatencySetting(engine="PyTorch", batch=1, height=320, width=320, suppression=False)
ONNX_SETTING = SETTING.model_copy(update={"engine": "ONNX Runtime"})


def make_comparison(
    seeds: int = 1, classes: tuple[str, ...] = ("red", "white", "platelet", "other"), **changes: Any
) -> Comparison:
    """A comparison in which mnv1_n is worse than yolo11n, mostly by wrong classes.

    Args:
        seeds: number of seeds.
        classes: names of the classes.
        changes: fields with other values.
    """
    metric = MetricDelta(
        baseline=0.578, candidate=0.454, delta=-0.124, low=-0.19, high=-0.06, images_below=0.05, images_above=0.05,
        luck=0.04, verdict="worse",
    )  # fmt: skip
    interval = Interval(delta=-0.08, low=-0.15, high=-0.01)
    time = TrainingTime(started="2026-01-02T03:04:05Z", seconds=321.0, machine="some CPU", threads=2)

    def arm(backbone: str, width: float | None, map50_95: float) -> ArmSummary:
        return ArmSummary(
            backbone=backbone, width=width, start=RANDOM, teachers=(Teacher(name="none"),) * seeds,
            weights_digests=(DIGEST,) * seeds, best_epochs=(38,) * seeds, map50_95=(map50_95,) * seeds,
            val_map50_95=0.5, confidences=(0.31,) * seeds, maturity="learnt", times=(time,) * seeds,
        )  # fmt: skip

    comparison = Comparison(
        verdict="worse",
        provisional=seeds == 1,
        reason="mnv1_n is worse.",
        baseline=arm("yolo11n", None, metric.baseline),
        candidate=arm("mnv1_n", 0.25, metric.candidate),
        metrics=dict.fromkeys(("map50_95", "map50", "map75"), metric),
        deployed={
            "precision": DeployedDelta(baseline=0.9, candidate=None, interval=None),
            "recall": DeployedDelta(baseline=0.87, candidate=0.79, interval=interval),
            "f1": DeployedDelta(baseline=0.88, candidate=0.8, interval=interval),
        },
        classes=tuple(
            ClassDelta(
                delta=-0.1,
                low=-0.2,
                high=0.0,
                class_id=number,
                name=name,
                images=20,
                boxes=60 - number,
                baseline=0.5,
                candidate=0.4,
            )
            for number, name in enumerate(classes)
        ),
        sizes=tuple(
            SizeAP(size=size, baseline=None if size == "large" else 0.5, candidate=None if size == "large" else 0.4)
            for size in ("all", "AP50", "AP75", "small", "medium", "large")
        ),
        errors=tuple(
            ErrorCost(
                delta=delta,
                low=delta - 0.02,
                high=delta + 0.02,
                kind=kind,
                baseline=0.01,
                candidate=0.01 + delta,
                baseline_count=12,
                candidate_count=40,
            )
            for kind, delta in zip(ERROR_KINDS, (0.2, 0.01, 0.0, 0.0, 0.06, -0.005), strict=True)
        ),
        costs={
            "parameters": CostRatio(baseline=2.6e6, candidate=1.8e6, ratio=0.71),
            "gflops": CostRatio(baseline=1.6, candidate=1.1, ratio=0.67),
            "weights_mb": CostRatio(baseline=5.2, candidate=3.7, ratio=0.72),
            "latency_ms": CostRatio(baseline=42.6, candidate=33.2, ratio=0.79, low=0.75, high=0.82, setting=SETTING),
            "latency_onnx_ms": CostRatio(
                baseline=20.1,
                candidate=12.0,
                ratio=0.6,
                low=0.4,
                high=1.1,
                busy=True,
                setting=SETTING.model_copy(update={"engine": "ONNX Runtime"}),
            ),
        },
        spread=Spread(sd=0.02, degrees=4, measured=None, assumed=0.02, source="curve", models=0, train_images=205),
        settling=Settling(
            settled=False,
            larger="images",
            seeds=4,
            images=300,
            seeds_with_images=3,
            images_with_seeds=200,
            equivalent_margin=0.19,
            no_worse_margin=0.19,
        ),
        guards=Guards(
            scenes=60,
            few_scenes="none",
            rare_classes=("platelet",),
            without_rare="worse",
            candidates=1,
            corrected=Interval(delta=-0.124, low=-0.19, high=-0.06),
            corrected_confidence=0.95,
        ),
        latency_threads=1,
        latency_machine="some CPU",
        measured="2026-01-02T04:00:00Z",
        split="test",
        images=72,
        epochs=40,
        seeds=tuple(range(seeds)),
        confidence=0.95,
        resamples=1000,
        margin=0.01,
        data_digest=DIGEST,
        recipe_digest=DIGEST,
    )
    return comparison.model_copy(update=changes)


def make_inputs(data_dir: Path = Path("gone"), seeds: int = 1, **changes: Any) -> ReportInputs:
    """All inputs of a report; the images are not there unless a test writes them into data_dir."""
    comparison = make_comparison(seeds, **changes)
    names = tuple(each.name for each in comparison.classes)
    results: dict[Arm, list[ArmResult]] = {arm: [_result(arm, seed, names) for seed in range(seeds)] for arm in ARMS}
    epoch = np.arange(1, 41)
    columns = ["map50_95", "map50", *(f"{s}_{part}_loss" for s in ("train", "val") for part in ("box", "cls", "dfl"))]
    history = pd.DataFrame({"epoch": epoch, **{column: 1 - np.exp(-epoch / 10) for column in columns}})
    return ReportInputs(
        comparison=comparison,
        results=results,
        histories={arm: [history] * seeds for arm in ARMS},
        starts={
            arm: StartRecord(
                backbone=getattr(comparison, arm).backbone,
                **RANDOM.model_dump(),
                random=("model.0.weight",),
            )
            for arm in ARMS
        },
        init={"backbone": "none", "detector": "none"},
        sheet=make_cost_sheet(),
        validation=ValidationVerdict(passed=True, findings={}),
        data_dir=data_dir,
    )


def _result(arm: Arm, seed: int, names: tuple[str, ...]) -> ArmResult:
    statistics = make_boxes(0, classes=len(names))
    per_class = pd.DataFrame(
        {"class_id": range(len(names)), "name": names, "precision": np.nan, "recall": 0.5, "f1": 0.4}
    )
    thresholds = pd.DataFrame(
        {"confidence": [0.0, 0.5, 1.0], "precision": [0.3, 0.8, np.nan], "recall": [0.9, 0.7, 0.0], "f1": [0.4, 0.7, 0]}
    )
    size = len(names) + 1
    statistics = dataclasses.replace(
        statistics, names=names, per_class=per_class, thresholds=thresholds, confusion=np.eye(size, dtype=np.int64) * 9
    )
    training = TrainingRecord(
        arm=arm, backbone="yolo11n" if arm == "baseline" else "mnv1_n", width=None, seed=seed, best_epoch=38,
        weights_digest=DIGEST, data_digest=DIGEST, start=RANDOM, teacher=Teacher(name="none"),
        recipe={"epochs": 40, "imgsz": 320, "cos_lr": False}, engine={}, recipe_digest=DIGEST,
    )  # fmt: skip
    metrics = make_metrics(confidence=0.4 if arm == "baseline" else 0.7, precision=0.9, recall=0.8, f1=0.85)
    return ArmResult(training, metrics, statistics)
