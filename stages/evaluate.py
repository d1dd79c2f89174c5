"""Measure one trained model on the held-out split."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mobileyolo.artifacts import DATASET_FILE, DatasetCard, Manifest, ModelFiles, Profile, TrainingRecord, profile_file
from mobileyolo.config import Params
from mobileyolo.evaluation import evaluate
from mobileyolo.tracking import Tracker
from stages import arm_argument, run, seed_of_stage


def main(params: Params) -> None:
    """Write reports/metrics/<arm>/s<seed>.json and the statistics behind it."""
    arm = arm_argument()
    files = ModelFiles(arm, seed_of_stage(params))
    card = DatasetCard.read(DATASET_FILE)
    metrics, statistics = evaluate(files.weights, params, card, Manifest.read(), Profile.read(profile_file(arm)))
    statistics.write(files.statistics)
    metrics.write(files.metrics)
    Tracker(Path(params.data.dir).name, card).log_evaluation(
        TrainingRecord.read(files.training),
        pd.read_csv(files.history),
        metrics,
        {**params.evaluate.model_dump(), "split": statistics.split},
        files.weights,
    )
    print(f"{arm} on {statistics.split}: mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}")


if __name__ == "__main__":
    run(main)
