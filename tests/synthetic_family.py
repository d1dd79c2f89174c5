"""Made-up results of a study's trials, with costs of real backbones and statistics of made-up detectors."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobileyolo.core.backbones import ARMS, Arm, width_of
from mobileyolo.family.members import Choice, Detections, Evidence, Member, Setup, Tried
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import ClassDelta, CostRatio, Interval
from tests.synthetic_comparison import ONNX_SETTING, SETTING, make_comparison
from tests.synthetic_results import make_statistics

OPTIONS = VerdictOptions(confidence=0.95, resamples=100, seed_sd=0.01, margin=0.01, seed=0)
ENGINE = {"ultralytics": "8.4", "torch": "2.14.1", "device": "cpu", "threads": "2"}
NAMES = ("red", "white", "platelet")
BASELINE = 0.58  # mAP50-95 at 320 px
# By backbone: parameters, GFLOPs at 320 px, megabytes, ratio of the latency in PyTorch and in ONNX Runtime.
COSTS = {
    "yolo11n": (2.58e6, 1.58, 5.21, 1.0, 1.0),
    "mnv1_n": (1.84e6, 1.06, 3.73, 0.8, 0.71),
    "mnv1_s": (2.53e6, 1.58, 5.1, 0.92, 0.9),
    "mnv1_m": (4.9e6, 3.4, 9.84, 1.31, 1.6),
}


def make_member(
    backbone: str = "mnv1_n",
    delta: float = -0.1,
    *,
    imgsz: int = 320,
    start: str = "none",
    teacher: str = "none",
    level: float = BASELINE,
    half_width: float = 0.02,
    seeds: int = 3,
    statistics: int | None = None,
    engine: dict[str, str] = ENGINE,
    busy: bool = False,
    **changes: Any,
) -> Member:
    """A trial in which a backbone is ahead of yolo11n by `delta`.

    Args:
        backbone: of the candidate.
        delta: in mAP50-95.
        imgsz: pixels.
        start: of both arms.
        teacher: of the candidate alone.
        level: mAP50-95 of the baseline.
        half_width: of the interval: as much from the images as from the luck of training.
        seeds: number of seeds.
        statistics: seed of the candidate's detectors; None without evidence.
        engine: of the evidence.
        busy: was the machine busy when latencies were measured?
        changes: other fields of the comparison.
    """
    part, name = half_width / np.sqrt(2), f"study-{backbone}-{imgsz}-{start}-{teacher}"
    comparison = make_comparison(seeds, NAMES)
    metric = comparison.metrics["map50_95"].model_copy(
        update={
            "baseline": level, "candidate": round(level + delta, 6), "delta": delta, "low": delta - half_width,
            "high": delta + half_width, "images_below": part, "images_above": part, "luck": part,
        }
    )  # fmt: skip
    scale, luck_sd = (imgsz / 320) ** 2, part / 2.776 / np.sqrt(2 / 3)  # t with four degrees of freedom
    costs = {}
    for place, key in enumerate(("parameters", "gflops", "weights_mb")):
        before, after = (COSTS[each][place] * (scale if key == "gflops" else 1) for each in ("yolo11n", backbone))
        costs[key] = CostRatio(baseline=before, candidate=after, ratio=round(after / before, 6))
    for place, (key, setting, time) in enumerate(
        (("latency_ms", SETTING, 24.5), ("latency_onnx_ms", ONNX_SETTING, 15.3)), start=3
    ):
        ratio, before = COSTS[backbone][place], time * scale
        costs[key] = CostRatio(
            baseline=before, candidate=before * ratio, ratio=ratio, low=ratio - 0.01, high=ratio + 0.02, busy=busy,
            setting=setting,
        )  # fmt: skip
    digest = hashlib.sha256(f"yolo11n {imgsz} {start}".encode()).hexdigest()
    updates: dict[str, Any] = {
        "metrics": {**comparison.metrics, "map50_95": metric},
        "baseline": comparison.baseline.model_copy(
            update={"weights_digests": (digest,) * seeds, "map50_95": (level,) * seeds}
        ),
        "candidate": comparison.candidate.model_copy(
            update={"backbone": backbone, "width": width_of(backbone), "map50_95": (level + delta,) * seeds}
        ),
        "costs": costs,
        "classes": tuple(_class(number, name) for number, name in enumerate(NAMES)),
        "spread": comparison.spread.model_copy(update={"sd": luck_sd, "degrees": 4, "assumed": None}),
        "guards": comparison.guards.model_copy(
            update={
                "scenes": 70, "rare_classes": (), "without_rare": None,
                "corrected": Interval(delta=delta, low=delta - half_width, high=delta + half_width),
            }
        ),
        "images": 70,
    }  # fmt: skip
    comparison = comparison.model_copy(update=updates | changes)
    evidence = None if statistics is None else make_evidence(statistics, engine, seeds, 0.72 + delta / 1.2)
    setups = Setup(imgsz, start, "none"), Setup(imgsz, start, teacher)
    return Member(name, *setups, OPTIONS, comparison, evidence)


def make_evidence(detectors: int, engine: dict[str, str], seeds: int, skill: float) -> Evidence:
    """Statistics of detectors of this skill, always on the same images."""
    statistics = [
        make_statistics(100 * detectors + seed, skill=skill, names=NAMES, taste=detectors, per_class=False)
        for seed in range(seeds)
    ]
    return Evidence(engine, Detections(statistics, np.arange(len(statistics[0].images))))


def make_family_members(pairwise: bool = True) -> list[Member]:
    """Three widths at two resolutions and from two starts."""
    members: list[Member] = []
    settings = [(256, "none", 0.53), (320, "none", 0.58), (256, "imagenet", 0.6), (320, "imagenet", 0.66)]
    deltas = {"none": (-0.144, -0.081, -0.02), "imagenet": (-0.07, -0.001, 0.043)}
    for imgsz, start, level in settings:
        for backbone, delta in zip(("mnv1_n", "mnv1_s", "mnv1_m"), deltas[start], strict=True):
            members.append(
                make_member(
                    backbone, delta + (imgsz - 256) / 8000, imgsz=imgsz, start=start, level=level,
                    half_width=0.006 if start == "imagenet" else 0.022,
                    statistics=len(members) + 1 if pairwise else None,
                )
            )  # fmt: skip
    return members


RECIPES = ("lr0 0.0007", "lr0 0.002", "lr0 0.006")


def with_recipes(member: Member, baseline: Sequence[float], candidate: Sequence[float]) -> Member:
    """The same, chosen among RECIPES by these mAP50-95 on val."""
    choices: dict[Arm, Choice] = {
        arm: Choice(
            tuple(
                Tried(recipe, f"{member.trial}-{place}", value)
                for place, (recipe, value) in enumerate(zip(RECIPES, values, strict=True))
            )
        )
        for arm, values in zip(ARMS, (baseline, candidate), strict=True)
    }
    return dataclasses.replace(member, choices=choices, trial=choices["candidate"].chosen.trial)


def named(members: Sequence[Member]) -> list[str]:
    """The trials' names."""
    return [member.trial for member in members]


def _class(number: int, name: str) -> ClassDelta:
    return ClassDelta(
        delta=-0.1, low=-0.2, high=0.0, class_id=number, name=name, images=20, boxes=60, baseline=0.5, candidate=0.4
    )
