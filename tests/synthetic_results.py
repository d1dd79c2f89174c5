"""Made-up evaluation results of two detectors with a given skill."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pandas as pd

from mobileyolo.core.backbones import Arm
from mobileyolo.core.cost_sheet import CostSheet, ModelCost, Parts, Saving, SeparableLayer
from mobileyolo.core.records import (
    IOU_THRESHOLDS,
    TRUE_POSITIVE_COLUMNS,
    CocoAP,
    History,
    LatencyRecord,
    MetricsRecord,
    OfferRecord,
    Start,
    Teacher,
    Timing,
    TrainingRecord,
    TrainingTime,
)
from mobileyolo.core.results import BOX_STEPS, BOXES_AN_IMAGE, CORNERS, ArmEvidence, ArmResult, Statistics
from mobileyolo.verdict.comparison import Circumstances
from mobileyolo.verdict.metrics import WeightedMetrics, deployed_metrics, detection_counts

BACKBONES: dict[Arm, str] = {"baseline": "yolo11n", "candidate": "mnv1_n"}
CONFIDENCE = 0.5  # to deploy with
# Standard deviation of an architecture's skill from label to label. With it, what the seeds of an arm differ by makes
# two thirds of the bootstrap's variance on 72 images, as it did for the models of the digits.
TASTE = 0.15
RANDOM = Start(sources={}, tensors=0, of_tensors=475, values=0, of_values=1_865_771)


def make_statistics(
    seed: int,
    *,
    skill: float = 0.8,
    images: int = 70,
    names: tuple[str, ...] = ("red", "white", "platelet"),
    boxes_per_image: float = 5.0,
    false_per_image: float = 10.0,
    scenes: int = 0,
    taste: int | None = None,
    split: str = "test",
    per_class: bool = True,
) -> Statistics:
    """Statistics of a detector on random images.

    Args:
        seed: of the detector's errors.
        skill: 0 to 1, share of the boxes found and how tightly.
        images: number of images.
        names: class names; later classes are rarer.
        boxes_per_image: mean number of labelled boxes.
        false_per_image: mean number of false positives.
        scenes: seed of the labels, the same for two detectors that saw the same images.
        taste: seed of which labels one architecture finds easier than another one does, the same for all its seeds;
            None: no easier than any other.
        split: which split the images are of.
        per_class: also fill in the table of classes, which takes the longest.
    """
    labels, noise = np.random.default_rng(scenes), np.random.default_rng([seed, 1])
    share = 1 / np.arange(1, len(names) + 1)
    counts = labels.poisson(boxes_per_image, images)
    target_image = np.repeat(np.arange(images), counts)
    target_class = labels.choice(len(names), counts.sum(), p=share / share.sum())
    difficulty = labels.normal(0, 0.12, images)[target_image] + labels.normal(0, 0.12, counts.sum())

    quality = skill - difficulty + noise.normal(0, 0.05, counts.sum())
    if taste is not None:
        quality += np.random.default_rng([taste, 2]).normal(0, TASTE, counts.sum())
    found = noise.random(counts.sum()) < np.clip(quality + 0.15, 0, 0.98)
    iou = np.clip(0.45 + 0.5 * quality[found], 0.3, 0.98)
    false_counts = noise.poisson(false_per_image, images)
    false_total = false_counts.sum()
    table = pd.DataFrame(
        {
            "image": np.concatenate((target_image[found], np.repeat(np.arange(images), false_counts))),
            "class_id": np.concatenate(
                (target_class[found], noise.choice(len(names), false_total, p=share / share.sum()))
            ),
            "confidence": np.concatenate(
                (
                    np.clip(noise.beta(5, 2, found.sum()) * (0.5 + quality[found] / 2), 0.001, 0.999),
                    noise.beta(1, 6, false_total),
                )
            ).astype(np.float32),
        }
    )
    # A box is found with that IoU if it is shifted along x by w (1 - IoU) / (1 + IoU). False ones lie right of all
    # labels.
    x1, y1, w, h = (labels.uniform(low, high, counts.sum()) for low, high in ((0, 540), (0, 380), (20, 80), (20, 80)))
    labelled = np.column_stack((x1, y1, x1 + w, y1 + h))
    shifts = w[found] * (1 - iou) / (1 + iou)
    wrong = np.column_stack([noise.uniform(low, high, false_total) for low, high in ((710, 940), (0, 420))])
    shifted = labelled[found] + np.column_stack((shifts, 0 * shifts, shifts, 0 * shifts))
    table[list(CORNERS)] = np.concatenate((shifted, np.column_stack((wrong, wrong + 50))))
    overlap = np.concatenate((iou, np.zeros(false_total)))
    for threshold, column in zip(IOU_THRESHOLDS, TRUE_POSITIVE_COLUMNS, strict=True):
        table[column] = overlap >= threshold / 100
    table = table.sort_values(["image", "confidence"], ascending=[True, False], kind="stable", ignore_index=True)

    confusion = np.zeros((len(names) + 1, len(names) + 1), dtype=np.int64)
    mistaken = np.where(noise.random(counts.sum()) < 0.06, noise.integers(len(names), size=counts.sum()), target_class)
    np.add.at(confusion, (np.where(found, mistaken, np.int64(len(names))), target_class), 1)
    confident = ~table["tp_50"] & (table["confidence"] > 0.25)
    confusion[:, -1] += np.bincount(table["class_id"][confident], minlength=len(names) + 1)
    size = {"width": 1000, "height": 480}
    kept = table[table.groupby("image").cumcount() < BOXES_AN_IMAGE]
    steps = (kept[list(CORNERS)] / [1000, 480, 1000, 480] * BOX_STEPS).round().astype("uint16")
    boxes = steps.assign(row=kept.index.astype("int32"))[["row", *CORNERS]].reset_index(drop=True)
    statistics = Statistics(
        split=split,
        measured={"iou": "0.7", "torch": "2.14.1"},
        names=names,
        images=pd.DataFrame({"image": [f"images/{split}/{number:05}.jpg" for number in range(images)]}).assign(**size),
        predictions=table.drop(columns=list(CORNERS)),
        boxes=boxes,
        targets=pd.DataFrame({"image": target_image, "class_id": target_class}).assign(
            **dict(zip(CORNERS, labelled.T, strict=True))
        ),
        thresholds=pd.DataFrame(
            {
                "confidence": [0.0, 0.5, 1.0],
                "precision": [0.3, 0.8, np.nan],
                "recall": [0.9, 0.7, 0.0],
                "f1": [0.4, 0.7, 0],
            }
        ),
        confusion=confusion,
        per_class=pd.DataFrame(),
    )
    return _with_per_class(statistics) if per_class else statistics


def with_changes(statistics: Statistics, **changes: Any) -> Statistics:
    """The same statistics with some fields changed."""
    return dataclasses.replace(statistics, **changes)


def with_training(result: ArmResult, **changes: object) -> ArmResult:
    """The same model with some fields of its training changed."""
    return dataclasses.replace(result, training=result.training.model_copy(update=changes))


def _with_per_class(statistics: Statistics) -> Statistics:
    """Fill in the per-class table, each class evaluated on its own."""
    rows = []
    for class_id in np.unique(statistics.targets["class_id"]):
        targets = statistics.targets[statistics.targets["class_id"] == class_id]
        only = with_changes(
            statistics, targets=targets, predictions=statistics.predictions.query("class_id == @class_id")
        )
        map50_95, map50, map75 = WeightedMetrics(only)(np.ones(len(statistics.images)))
        precision, recall, f1 = deployed_metrics(detection_counts(only, CONFIDENCE).sum(0))
        rows.append(
            {
                "class_id": int(class_id),
                "name": statistics.names[class_id],
                "images": targets["image"].nunique(),
                "boxes": len(targets),
                "map50_95": map50_95,
                "map50": map50,
                "map75": map75,
                "precision": precision,
                "recall": recall,
                "f1": f1,
            }
        )
    return with_changes(statistics, per_class=pd.DataFrame(rows))


def make_result(
    arm: str, backbone: str, statistics: Statistics, seed: int = 0, width: float | None = None
) -> ArmResult:
    """One trained and evaluated model; all made-up models have equal terms."""
    map50_95, map50, map75 = WeightedMetrics(statistics)(np.ones(len(statistics.images)))
    precision, recall, f1 = deployed_metrics(detection_counts(statistics, CONFIDENCE).sum(0))
    small = width is not None
    return ArmResult(
        training=TrainingRecord(
            arm=arm,
            backbone=backbone,
            width=width,
            seed=seed,
            best_epoch=30 - seed,
            weights_digest=_sha256(f"weights {arm} {seed}"),
            data_digest=_sha256("data"),
            start=RANDOM,
            teacher=Teacher(name="none"),
            recipe={"epochs": 40, "imgsz": 320, "batch": 8, "optimizer": "AdamW", "lr0": 0.003, "cos_lr": False},
            engine={"ultralytics": "8.4", "torch": "2.14.1", "device": "cpu", "threads": "1"},
            recipe_digest=_sha256("recipe"),
        ),
        metrics=MetricsRecord(
            map50_95=map50_95,
            map50=map50,
            map75=map75,
            val_map50_95=map50_95 + 0.01,
            confidence=CONFIDENCE,
            precision=None if np.isnan(precision) else precision,
            recall=recall,
            f1=f1,
            coco=CocoAP(ap=map50_95, ap50=map50, ap75=map75, ap_small=None, ap_medium=map50_95, ap_large=None),
            parameters=1_843_000 if small else 2_582_542,
            gflops=1.1 if small else 1.6,
            weights_mb=3.73 if small else 5.21,
        ),
        statistics=statistics,
    )


def make_metrics(**changes: Any) -> MetricsRecord:
    """Metrics of a model that predicted nothing at the confidence chosen on val, with other values where asked."""
    values = {
        "map50_95": 0.3,
        "map50": 0.5,
        "map75": 0.2,
        "val_map50_95": 0.35,
        "confidence": 0.4,
        "precision": None,
        "recall": 0.0,
        "f1": 0.0,
        "coco": CocoAP(ap=0.3, ap50=0.5, ap75=0.2, ap_small=None, ap_medium=0.1, ap_large=0.4),
        "parameters": 10,
        "gflops": 1.5,
        "weights_mb": 2.0,
    }
    return MetricsRecord.model_validate(values | changes)


def make_arms(
    baseline_skill: float = 0.8, candidate_skill: float = 0.8, seeds: int = 1, detectors: int = 0, **settings: Any
) -> tuple[list[ArmResult], list[ArmResult]]:
    """Both arms on the same images: yolo11n and mnv1_n. Another `detectors` gives others of the same skill."""
    baseline, candidate = [], []
    for seed in range(seeds):
        statistics = make_statistics(1000 * detectors + seed, skill=baseline_skill, **settings)
        baseline.append(make_result("baseline", "yolo11n", statistics, seed))
        statistics = make_statistics(1000 * detectors + 500 + seed, skill=candidate_skill, **settings)
        candidate.append(make_result("candidate", "mnv1_n", statistics, seed, width=0.25))
    return baseline, candidate


def make_latency(rounds: int = 50) -> LatencyRecord:
    """Latency of both arms on a calm machine: the candidate at about 0.7 times the baseline's in PyTorch.

    In ONNX Runtime at 0.6 times.
    """
    noise = np.random.default_rng(0)

    def timing(engine: str, median: float, ratio: float, batch: int = 1, suppression: bool = False) -> Timing:
        baseline = median * noise.lognormal(0, 0.02, rounds)
        candidate = baseline * noise.normal(ratio, 0.01, rounds)
        times = {"baseline": tuple(baseline), "candidate": tuple(candidate)}
        return Timing(engine=engine, batch=batch, height=256, width=320, suppression=suppression, rounds_ms=times)

    pytorch, onnx = "PyTorch 2.14.1 (CPU, fused)", "ONNX Runtime 1.32.0 (CPU)"
    timings = {
        "latency_ms": timing(pytorch, 20, 0.7),
        "latency_onnx_ms": timing(onnx, 10, 0.6),
        "latency_nms_ms": timing(pytorch, 22, 0.72, suppression=True),
        "latency_batch8_ms": timing(pytorch, 150, 0.7, batch=8),
        "latency_onnx_batch8_ms": timing(onnx, 80, 0.6, batch=8),
    }
    return LatencyRecord(measured="2026-01-02T03:04:05+00:00", machine="some CPU", threads=1, timings=timings)


def make_history(seed: int, *, final: float, epochs: int = 40) -> pd.DataFrame:
    """Losses and validation metrics of a training that ends at an mAP50-95 of about `final`."""
    noise = np.random.default_rng(seed)
    epoch = np.arange(1, epochs + 1)
    rise = 1 - np.exp(-epoch / (epochs / 4))
    table = pd.DataFrame({"epoch": epoch})
    for part, level in {"box": 1.2, "cls": 1.5, "dfl": 0.9}.items():
        fall = level * (1.6 - rise * final * 1.6)
        table[f"train_{part}_loss"] = fall + noise.normal(0, 0.02, epochs)
        table[f"val_{part}_loss"] = fall * 1.08 + noise.normal(0, 0.05, epochs)
    table["precision"] = np.clip(rise * (final + 0.3) + noise.normal(0, 0.02, epochs), 0, 1)
    table["recall"] = np.clip(rise * (final + 0.25) + noise.normal(0, 0.02, epochs), 0, 1)
    table["map50"] = np.clip(rise * (final + 0.25) + noise.normal(0, 0.015, epochs), 0, 1)
    table["map50_95"] = np.clip(rise * final + noise.normal(0, 0.012, epochs), 0, 1)
    return table


def make_cost_sheet() -> CostSheet:
    """A sheet of made-up models: ever larger backbones with the same neck and head."""

    def cost(name: str, width: float | None, size: int) -> ModelCost:
        parts = Parts(backbone=size * 1_000_000, neck=1_200_000, head=300_000)
        flops = (parts, Parts(backbone=size * 640_000, neck=768_000, head=192_000))
        return ModelCost(
            name=name,
            width=width,
            parameters=parts,
            flops=tuple(Parts(**{key: 1000 * value for key, value in each.model_dump().items()}) for each in flops),
        )

    layer = SeparableLayer(
        inputs=8, outputs=16, kernel=3, stride=1, size=10, repeats=2, separable=20_000, standard=115_200
    )
    return CostSheet(
        classes=3,
        imgsz=(320, 256),
        models=(
            cost("mnv1_n", 0.25, 1),
            cost("mnv1_s", 0.5, 3),
            cost("mnv1@0.75", 0.75, 6),
            cost("mnv1_m", 1.0, 9),
            cost("yolo11n", None, 4),
            cost("yolo11s", None, 12),
            cost("yolo11x", None, 90),
        ),
        savings=tuple(Saving(width=width, stem=5_000, layers=(layer,)) for width in (0.25, 0.5, 0.75, 1.0)),
    )


def make_evidence(arm: list[ArmResult]) -> ArmEvidence:
    """All that is known of one arm, whose models stopped learning before their training ended."""
    epochs = int(arm[0].training.recipe["epochs"])
    curve = np.minimum(np.arange(1, epochs + 1) / 20, 1) * 0.6
    return ArmEvidence(
        offer=OfferRecord(files={}),
        results=arm,
        histories=[pd.DataFrame({"epoch": np.arange(1, epochs + 1), "map50_95": curve}) for _ in arm],
        times=[TrainingTime(started="2026-01-02T03:04:05Z", seconds=321, machine="some CPU", threads=2) for _ in arm],
    )


def make_circumstances(images: int = 70, **changes: Any) -> Circumstances:
    """A first comparison, on images that each show a scene of their own."""
    circumstances = Circumstances(
        scenes=np.arange(images),
        train_images=300,
        history=History(candidates=1, spread=None),
        latency=make_latency(),
    )
    return dataclasses.replace(circumstances, **changes)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
