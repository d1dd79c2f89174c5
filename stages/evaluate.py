"""Measure one trained model on the held-out split."""

from __future__ import annotations

import pandas as pd

from mobileyolo.artifacts import DatasetCard, Manifest, Profile, TrainingRecord
from mobileyolo.config import Params
from mobileyolo.evaluation import evaluate
from mobileyolo.files import DATASET_FILE, ModelFiles, profile_file
from mobileyolo.results import ArmResult
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
    result = ArmResult(TrainingRecord.read(files.training), metrics, statistics)
    Tracker(params.data.dir, card).log_evaluation(result, pd.read_csv(files.history), files.weights)
    print(f"{arm} on {statistics.split}: mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}")


if __name__ == "__main__":
    run(main)
