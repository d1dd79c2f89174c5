"""Measure one trained model on the held-out split."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.backbones import TRAINEES
from mobileyolo.core.config import ImageSize, Params
from mobileyolo.core.console import say
from mobileyolo.core.files import DATASET_FILE, NONE, ModelFiles, is_none, profile_file, write_none
from mobileyolo.core.invocation import argument, seed_of_stage
from mobileyolo.core.records import DatasetCard, Profile, TrainingRecord
from stages import run


def main(params: Params) -> None:
    """Write reports/metrics/<arm>/s<seed>.json and the statistics behind it."""
    files = ModelFiles(argument(TRAINEES), seed_of_stage())
    if is_none(files.training):  # the usual case of a teacher, which need not wait for torch and pandas
        write_none(files.metrics, files.statistics / NONE)
    else:
        _evaluate(files, params)


def _evaluate(files: ModelFiles, params: Params) -> None:
    with environment.importing():
        import pandas as pd

        from mobileyolo.core.results import ArmResult
        from mobileyolo.core.tables import Manifest
        from mobileyolo.evaluation.evaluator import evaluate
        from mobileyolo.evaluation.parameters import EvaluationOptions
        from mobileyolo.tracking import Tracker

    card = DatasetCard.read(DATASET_FILE)
    metrics, statistics = evaluate(
        files.weights,
        Path(params.data_dir),
        params.section(EvaluationOptions),
        params.get("train.imgsz", ImageSize),
        card,
        Manifest.read(),
        Profile.read(profile_file(files.arm)),
    )
    statistics.write(files.statistics)
    metrics.write(files.metrics)
    result = ArmResult(TrainingRecord.read(files.training), metrics, statistics)
    Tracker.open(params.data_dir, card).log_evaluation(result, pd.read_csv(files.history), files.weights)
    say(f"{files.arm} on {statistics.split}: mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}")


if __name__ == "__main__":
    run(main)
