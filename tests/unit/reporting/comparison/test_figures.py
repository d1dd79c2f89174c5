from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from mobileyolo.reporting.comparison import cost_figures, curve_figures, figures
from mobileyolo.reporting.comparison.cost_tables import arms_by_label
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.shared import panels
from mobileyolo.reporting.shared.languages import ENGLISH
from mobileyolo.reporting.shared.panels import Panel
from mobileyolo.verdict.records import VERDICTS
from tests.synthetic_comparison import make_comparison, make_inputs

EVERY_FIGURE: dict[str, Callable[[ReportInputs], Panel]] = {
    "forest": lambda inputs: figures.forest(inputs.comparison, ENGLISH),
    "cost": lambda inputs: figures.accuracy_cost(inputs.comparison, "latency_ms", ENGLISH),
    "errors": lambda inputs: figures.errors(inputs.comparison, ENGLISH),
    "confusion": lambda inputs: figures.confusion("candidate", "mnv1_n", inputs.results["candidate"], ENGLISH),
    "parts": lambda inputs: cost_figures.cost_parts(
        inputs.sheet, arms_by_label(inputs.sheet, inputs.comparison), "gflops", ENGLISH
    ),
    "training": lambda inputs: curve_figures.training(inputs.histories, "val_loss", ENGLISH),
    "precision-recall": lambda inputs: curve_figures.precision_recall(inputs.results, ENGLISH),
    "recall over confidence": lambda inputs: curve_figures.over_confidence(
        inputs.comparison, inputs.results, "recall", ENGLISH
    ),
    "precision over confidence": lambda inputs: curve_figures.over_confidence(
        inputs.comparison, inputs.results, "precision", ENGLISH
    ),
}


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return make_inputs(seeds=2, classes=("红细胞", "<script>", "a$b$c", "x" * 40))


@pytest.mark.parametrize("name", EVERY_FIGURE)
def test_an_svg_is_well_formed_and_takes_colours_and_font_from_the_page(inputs: ReportInputs, name: str) -> None:
    svg = panels.to_svg(EVERY_FIGURE[name](inputs))
    ElementTree.fromstring(svg)
    assert svg.startswith('<svg viewBox="0 0 ')
    assert "http" not in svg
    assert "var(--" in svg
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)
    assert "DejaVu" not in svg


def test_a_style_that_somebody_else_has_set_changes_no_figure(inputs: ReportInputs) -> None:
    figure = EVERY_FIGURE["errors"](inputs)
    before = panels.to_svg(figure)
    with rc_context({"patch.edgecolor": "red", "patch.force_edgecolor": True, "font.size": 30}):
        assert panels.to_svg(figure) == before


def test_the_forest_shows_both_parts_of_every_interval() -> None:
    comparison = make_comparison()
    metrics = {
        key: metric.model_copy(update={"low": metric.low - row / 100, "images_above": 0.02 + row / 100})
        for row, (key, metric) in enumerate(comparison.metrics.items())
    }
    axes = Figure().subplots()
    figures.forest(comparison.model_copy(update={"metrics": metrics}), ENGLISH).draw(axes)
    lines = [each for each in axes.collections if isinstance(each, LineCollection)]
    drawn = {tuple(line.get_segments()[0].ravel().round(6)): np.ravel(line.get_linewidth())[0] for line in lines}
    for row, metric in enumerate(metrics.values()):
        whole = tuple(np.round((metric.low, row, metric.high, row), 6))
        images = metric.delta - metric.images_below, row, metric.delta + metric.images_above, row
        assert drawn[tuple(np.round(images, 6))] > drawn[whole]  # the thick bar lies on the thin one


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_forest_says_and_colours_every_verdict(verdict: str) -> None:
    comparison = make_comparison()
    judged = comparison.metrics["map50_95"].model_copy(update={"verdict": verdict})
    metrics = dict.fromkeys(comparison.metrics, judged)
    svg = panels.to_svg(figures.forest(comparison.model_copy(update={"metrics": metrics}), ENGLISH))
    assert f"mAP50-95 -0.124, {verdict}" in svg
    assert f"var(--{verdict.replace(' ', '-')})" in svg


@pytest.mark.filterwarnings("error")
def test_any_class_name_goes_into_a_confusion_matrix(inputs: ReportInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_cjk_font", lambda: ())  # as on a machine without Chinese fonts
    svg = panels.to_svg(EVERY_FIGURE["confusion"](inputs))
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert {"红细胞", "<script>", "a$b$c", "xxxxxxxxxxxxx…", "background"} <= set(texts)


def test_a_confusion_matrix_of_many_classes_leaves_out_their_names() -> None:
    few, many = (make_inputs(classes=tuple(f"class {number}" for number in range(count))) for count in (10, 40))
    assert "class 7" in panels.to_svg(EVERY_FIGURE["confusion"](few))
    assert "class 7" not in panels.to_svg(EVERY_FIGURE["confusion"](many))


def test_the_errors_figure_says_what_each_kind_costs_each_model(inputs: ReportInputs) -> None:
    described = EVERY_FIGURE["errors"](inputs).description
    assert "wrong class: yolo11n 0.010, mnv1_n 0.210" in described
    assert "missed: yolo11n 0.010, mnv1_n 0.005" in described


def test_a_dot_marks_the_confidence_to_deploy_with(inputs: ReportInputs) -> None:
    axes = Figure().subplots()
    EVERY_FIGURE["recall over confidence"](inputs).draw(axes)
    dots = [np.ravel(line.get_xydata()) for line in axes.lines if line.get_marker() == "o"]
    # Recall on val falls from 0.9 at 0 to 0.7 at 0.5; both models have the confidence 0.31 with both seeds.
    np.testing.assert_allclose(dots, [(0.31, 0.776)] * 4)


def test_figures_of_equal_inputs_have_equal_bytes(inputs: ReportInputs, tmp_path: Path) -> None:
    panel = EVERY_FIGURE["training"](inputs)
    assert panels.to_svg(panel) == panels.to_svg(panel)
    for name in ("a", "b"):
        panels.to_png([panel, panel], tmp_path / name / "curves.png", columns=2, legend=("yolo11n", "mnv1_n"))
    assert (tmp_path / "a/curves.png").read_bytes() == (tmp_path / "b/curves.png").read_bytes()
    with Image.open(tmp_path / "a/curves.png") as image:
        assert "Software" not in image.info


def test_a_training_of_one_epoch_and_a_model_against_itself_are_drawn(inputs: ReportInputs) -> None:
    histories = {arm: [history[:1] for history in seeds] for arm, seeds in inputs.histories.items()}
    nothing = dict.fromkeys(("delta", "low", "high", "images_below", "images_above", "luck"), 0.0)
    still = inputs.comparison.metrics["map50_95"].model_copy(update=nothing)
    comparison = inputs.comparison.model_copy(
        update={"margin": 0.0, "metrics": dict.fromkeys(inputs.comparison.metrics, still)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "var(--candidate)" in panels.to_svg(curve_figures.training(histories, "map50_95", ENGLISH))
        assert "var(--" in panels.to_svg(figures.forest(comparison, ENGLISH))


def test_the_cost_figure_leaves_out_large_stock_models_unless_they_are_compared(inputs: ReportInputs) -> None:
    arms = arms_by_label(inputs.sheet, inputs.comparison)
    texts = [element.text for element in ElementTree.fromstring(panels.to_svg(EVERY_FIGURE["parts"](inputs))).iter()]
    assert {"mnv1_n (α 0.25)", "yolo11n", "yolo11s", "backbone", "neck", "head"} <= set(texts)
    assert "yolo11x" not in texts
    large = cost_figures.cost_parts(inputs.sheet, arms | {"yolo11x": ["candidate"]}, "parameters", ENGLISH)
    assert "yolo11x 91.50, of which backbone 98%" in large.description
