"""Writes the reports of a comparison: HTML pages, Markdown summary, figures, and tables for `dvc plots`."""

from __future__ import annotations

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import ERRORS_DIR, FIGURES_DIR, PLOTS_DIR, REPORT_FILE, SUMMARY_FILE, write_text
from mobileyolo.reporting.comparison import curve_figures, figures, page, plots
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.comparison.pictures import Example, HeldOutImages
from mobileyolo.reporting.comparison.summary import markdown_summary
from mobileyolo.reporting.shared.languages import ENGLISH, chinese
from mobileyolo.reporting.shared.panels import to_png
from mobileyolo.verdict.records import ERROR_KINDS
from mobileyolo.verdict.sentences import names


def write_reports(inputs: ReportInputs) -> None:
    """Write the pages in every language, the summary, the figures and the plots' tables below reports/."""
    images = HeldOutImages(inputs)
    gallery = images.gallery()
    for language in (ENGLISH, chinese()):
        write_text(language.file(REPORT_FILE), page.render(inputs, gallery, language))
    for kind in ERROR_KINDS:
        examples: dict[str, list[Example]] = {arm: images.examples(kind, arm) for arm in ARMS}
        for language in (ENGLISH, chinese()):
            file = language.file(ERRORS_DIR / f"{kind}.html")
            write_text(file, page.render_errors(inputs, kind, examples, language))
    write_text(SUMMARY_FILE, markdown_summary(inputs.comparison))
    plots.write_plots(PLOTS_DIR, inputs.results, inputs.histories)
    to_png([figures.forest(inputs.comparison, ENGLISH)], FIGURES_DIR / "forest.png")
    curves = [
        curve_figures.training(inputs.histories, each, ENGLISH) for each in plots.TRAINING_CURVES if each != "map50"
    ]
    curves.append(curve_figures.precision_recall(inputs.results, ENGLISH))
    to_png(curves, FIGURES_DIR / "curves.png", columns=2, legend=names(inputs.comparison))
