"""Measure one trained model on the held-out split."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mobileyolo.core.config import ImageSize, Params
from mobileyolo.core.console import say
from mobileyolo.core.files import DATASET_FILE, ModelFiles, profile_file
from mobileyolo.core.records import DatasetCard, Manifest, Profile, TrainingRecord
from mobileyolo.core.results import ArmResult
from mobileyolo.evaluation.evaluator import evaluate
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.tracking import Tracker
from stages import arm_argument, run, seed_of_stage


def main(params: Params) -> None:
    """Write reports/metrics/<arm>/s<seed>.json and the statistics behind it."""
    arm = arm_argument()
    files = ModelFiles(arm, seed_of_stage())
    card = DatasetCard.read(DATASET_FILE)
    metrics, statistics = evaluate(
        files.weights,
        Path(params.data_dir),
        params.section(EvaluationOptions),
        params.get("train.imgsz", ImageSize),
        card,
        Manifest.read(),
        Profile.read(profile_file(arm)),
    )
    statistics.write(files.statistics)
    metrics.write(files.metrics)
    result = ArmResult(TrainingRecord.read(files.training), metrics, statistics)
    Tracker.open(params.data_dir, card).log_evaluation(result, pd.read_csv(files.history), files.weights)
    say(f"{arm} on {statistics.split}: mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}")


if __name__ == "__main__":
    run(main)
