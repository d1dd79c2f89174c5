"""Writes the reports of a comparison: HTML page, Markdown summary, figures, and tables for `dvc plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mobileyolo.core.backbones import Arm
from mobileyolo.core.cost_sheet import CostSheet
from mobileyolo.core.files import FIGURES_DIR, PLOTS_DIR, REPORT_FILE, SUMMARY_FILE, write_text
from mobileyolo.core.records import StartRecord
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison import figures, page, plots, tables
from mobileyolo.reporting.comparison.plots import Histories
from mobileyolo.reporting.shared.panels import to_png
from mobileyolo.verdict.records import Comparison


def write_reports(
    comparison: Comparison,
    baseline: Sequence[ArmResult],
    candidate: Sequence[ArmResult],
    histories: Histories,
    starts: Mapping[Arm, StartRecord],
    sheet: CostSheet,
) -> None:
    """Write the page, the summary, the figures and the plots' tables below reports/.

    Args:
        comparison: the answer.
        baseline: the results that it was made from, one for each seed.
        candidate: the same for the candidate.
        histories: by arm, one table for each seed, with the columns of history.csv.
        starts: by arm.
        sheet: what every backbone costs.
    """
    write_text(REPORT_FILE, page.render(comparison, baseline, candidate, histories, starts, sheet))
    write_text(SUMMARY_FILE, tables.summary(comparison, baseline, candidate))
    plots.write_plots(PLOTS_DIR, baseline, candidate, histories)
    to_png([figures.forest(comparison)], FIGURES_DIR / "forest.png")
    curves = [figures.training(histories, name) for name in figures.CURVE_NAMES if name != "map50"]
    curves.append(figures.precision_recall(baseline, candidate))
    to_png(curves, FIGURES_DIR / "curves.png", columns=2, legend=tables.arm_names(comparison))
