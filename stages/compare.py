"""Compare the two arms: the answer with its interval, the report, and what MLflow keeps of it."""

from __future__ import annotations

import pandas as pd

from mobileyolo.artifacts import DatasetCard, LatencyRecord, Lead, StartRecord, ValidationVerdict
from mobileyolo.comparison import compare
from mobileyolo.config import ARMS, Params
from mobileyolo.cost_sheet import COST_FILE, CostSheet
from mobileyolo.files import (
    COMPARISON_FILE,
    DATASET_FILE,
    LATENCY_FILE,
    LEAD_FILE,
    VERDICT_FILE,
    ModelFiles,
    start_file,
)
from mobileyolo.reporting import tables
from mobileyolo.reporting.reports import write_reports
from mobileyolo.results import ArmResult
from mobileyolo.tracking import log_results
from stages import run


def main(params: Params) -> None:
    """Write reports/comparison.json, the page, the figures and the tables for `dvc plots`."""
    arms = {arm: [ArmResult.read(arm, seed) for seed in params.seeds] for arm in ARMS}
    histories = {arm: [pd.read_csv(ModelFiles(arm, seed).history) for seed in params.seeds] for arm in ARMS}
    verdict = ValidationVerdict.read(VERDICT_FILE)
    latency = LatencyRecord.read(LATENCY_FILE)
    starts = {arm: StartRecord.read(start_file(arm)) for arm in ARMS}
    comparison = compare(arms["baseline"], arms["candidate"], latency, params.compare, verdict.caveats())
    write_reports(comparison, arms["baseline"], arms["candidate"], histories, starts, CostSheet.read(COST_FILE))
    comparison.write(COMPARISON_FILE)
    Lead.of(comparison).write(LEAD_FILE)
    log_results(params.data.dir, DatasetCard.read(DATASET_FILE), verdict, arms, comparison)
    print(tables.headline(comparison))


if __name__ == "__main__":
    run(main)
