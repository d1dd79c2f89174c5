"""From a comparison to what people read: an HTML page, a Markdown summary, figures, and tables for `dvc plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mobileyolo.artifacts import Comparison, StartRecord
from mobileyolo.config import Arm
from mobileyolo.cost_sheet import CostSheet
from mobileyolo.files import FIGURES_DIR, PLOTS_DIR, REPORT_FILE, SUMMARY_FILE, write_text
from mobileyolo.reporting import figures, html, plots, tables
from mobileyolo.reporting.panels import to_png
from mobileyolo.reporting.plots import Histories
from mobileyolo.results import ArmResult


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
        candidate: likewise.
        histories: by arm, one table a seed with the columns of history.csv.
        starts: by arm.
        sheet: what every backbone costs.
    """
    write_text(REPORT_FILE, html.render(comparison, baseline, candidate, histories, starts, sheet))
    write_text(SUMMARY_FILE, tables.summary(comparison, baseline, candidate))
    plots.write_plots(PLOTS_DIR, baseline, candidate, histories)
    to_png([figures.forest(comparison)], FIGURES_DIR / "forest.png")
    curves = [figures.training(histories, name) for name in figures.CURVE_NAMES if name != "map50"]
    curves.append(figures.precision_recall(baseline, candidate))
    to_png(curves, FIGURES_DIR / "curves.png", columns=2, legend=tables.arm_names(comparison))
