"""Compare the two arms: the answer with its interval, the report, and what MLflow keeps of it."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import Params, Seeds
from mobileyolo.core.console import say
from mobileyolo.core.cost_sheet import COST_FILE, CostSheet
from mobileyolo.core.files import (
    COMPARISON_FILE,
    DATASET_FILE,
    HISTORY_FILE,
    LATENCY_FILE,
    METRICS_FILE,
    VALIDATION,
    start_file,
)
from mobileyolo.core.records import DatasetCard, History, LatencyRecord, StartRecord, ValidationVerdict
from mobileyolo.core.results import ArmEvidence, ArmResult
from mobileyolo.core.tables import Scenes
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.comparison.next_steps import next_steps
from mobileyolo.reporting.comparison.report import write_reports
from mobileyolo.reporting.comparison.summary import console_report
from mobileyolo.tracking import log_results
from mobileyolo.verdict.comparison import Circumstances, compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Headline
from mobileyolo.verdict.sentences import caveats
from stages import run


def main(params: Params) -> None:
    """Write reports/comparison.json, the page, the figures and the tables for `dvc plots`."""
    seeds, options = params.get("seeds", Seeds), params.section(VerdictOptions)
    card, verdict = DatasetCard.read(DATASET_FILE), ValidationVerdict.read(VALIDATION.verdict)
    evidence = {arm: ArmEvidence.read(arm, seeds) for arm in ARMS}
    starts = {arm: StartRecord.read(start_file(arm)) for arm in ARMS}
    init = params.get("init", dict[str, str])
    teacher = ArmResult.read_teacher(seeds[0])
    held_out = evidence["baseline"].results[0].statistics
    circumstances = Circumstances(
        scenes=Scenes.read().of(held_out.split, held_out.images["image"].tolist()),
        train_images=card.splits["train"].images,
        history=History.read(HISTORY_FILE),
        latency=LatencyRecord.read(LATENCY_FILE),
        caveats=caveats(verdict),
        teacher=teacher,
    )
    comparison = compare(evidence["baseline"], evidence["candidate"], circumstances, options)
    results = {arm: evidence[arm].results for arm in ARMS}
    histories = {arm: evidence[arm].histories for arm in ARMS}
    sheet = CostSheet.read(COST_FILE)
    write_reports(ReportInputs(comparison, results, histories, starts, init, sheet, verdict, Path(params.data_dir)))
    comparison.write(COMPARISON_FILE)
    Headline.of(comparison).write(METRICS_FILE)
    logged = log_results(params.data_dir, card, verdict, results, comparison, teacher)
    say(console_report(comparison))
    say(next_steps(comparison, logged.way))


if __name__ == "__main__":
    run(main)
