"""Compare the two arms: the answer with its interval, the report, and what MLflow keeps of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import Params, Seeds
from mobileyolo.core.cost_sheet import COST_FILE, CostSheet
from mobileyolo.core.files import (
    COMPARISON_FILE,
    DATASET_FILE,
    LATENCY_FILE,
    METRICS_FILE,
    VALIDATION,
    ModelFiles,
    start_file,
)
from mobileyolo.core.records import DatasetCard, LatencyRecord, StartRecord, ValidationVerdict
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.comparison.next_steps import next_steps
from mobileyolo.reporting.comparison.report import write_reports
from mobileyolo.reporting.comparison.summary import console_report
from mobileyolo.tracking import log_results
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Headline
from mobileyolo.verdict.sentences import caveats
from stages import run


def main(params: Params) -> None:
    """Write reports/comparison.json, the page, the figures and the tables for `dvc plots`."""
    seeds, options = params.get("seeds", Seeds), params.section(VerdictOptions)
    arms = {arm: [ArmResult.read(arm, seed) for seed in seeds] for arm in ARMS}
    histories = {arm: [pd.read_csv(ModelFiles(arm, seed).history) for seed in seeds] for arm in ARMS}
    verdict = ValidationVerdict.read(VALIDATION.verdict)
    latency = LatencyRecord.read(LATENCY_FILE)
    starts = {arm: StartRecord.read(start_file(arm)) for arm in ARMS}
    comparison = compare(arms["baseline"], arms["candidate"], latency, options, caveats(verdict))
    sheet = CostSheet.read(COST_FILE)
    write_reports(ReportInputs(comparison, arms, histories, starts, sheet, verdict, Path(params.data_dir)))
    comparison.write(COMPARISON_FILE)
    Headline.of(comparison).write(METRICS_FILE)
    log_results(params.data_dir, DatasetCard.read(DATASET_FILE), verdict, arms, comparison)
    print(console_report(comparison))
    print(next_steps(comparison))


if __name__ == "__main__":
    run(main)
