"""Compare the two arms: the answer with its interval, the report, and what MLflow keeps of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mobileyolo.artifacts import (
    COMPARISON_FILE,
    DATASET_FILE,
    FIGURES_DIR,
    LATENCY_FILE,
    LEAD_FILE,
    REPORT_FILE,
    SUMMARY_FILE,
    DatasetCard,
    LatencyRecord,
    Lead,
    MetricsRecord,
    ModelFiles,
    Statistics,
    TrainingRecord,
)
from mobileyolo.comparison import ArmResult, compare
from mobileyolo.config import ARMS, Arm, Params
from mobileyolo.reporting import tables, write_reports
from mobileyolo.tracking import Tracker
from stages import run


def read_result(arm: Arm, seed: int) -> ArmResult:
    """What train and evaluate left of one model."""
    files = ModelFiles(arm, seed)
    return ArmResult(
        TrainingRecord.read(files.training), MetricsRecord.read(files.metrics), Statistics.read(files.statistics)
    )


def main(params: Params) -> None:
    """Write reports/comparison.json, the page, the figures and the tables for `dvc plots`."""
    results = {arm: [read_result(arm, seed) for seed in params.seeds] for arm in ARMS}
    histories = {arm: [pd.read_csv(ModelFiles(arm, seed).history) for seed in params.seeds] for arm in ARMS}
    comparison = compare(results["baseline"], results["candidate"], LatencyRecord.read(LATENCY_FILE), params.compare)
    write_reports(comparison, results["baseline"], results["candidate"], histories)
    comparison.write(COMPARISON_FILE)
    Lead.of(comparison).write(LEAD_FILE)
    tracker = Tracker(Path(params.data.dir).name, DatasetCard.read(DATASET_FILE))
    report = [REPORT_FILE, SUMMARY_FILE, COMPARISON_FILE, *sorted(FIGURES_DIR.glob("*.png"))]
    for arm in ARMS:
        for result, history in zip(results[arm], histories[arm], strict=True):
            tracker.log_comparison(result.training, history, comparison, report)
    print(tables.headline(comparison))


if __name__ == "__main__":
    run(main)
