from __future__ import annotations

import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from mobileyolo.reporting.comparison import figures
from mobileyolo.reporting.comparison.cost_tables import arms_by_label
from mobileyolo.reporting.shared import panels
from tests.synthetic_results import ReportInputs, make_report_inputs


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return make_report_inputs(seeds=2, names=("红细胞", "<script>", "a$b$c", "x" * 40))


def test_an_svg_is_well_formed_and_names_nothing_outside_itself(inputs: ReportInputs) -> None:
    svg = panels.to_svg(figures.forest(inputs.comparison))
    ElementTree.fromstring(svg)
    assert "http" not in svg
    assert svg.startswith('<svg viewBox="0 0 ')


def test_an_svg_takes_its_colours_and_font_from_the_page(inputs: ReportInputs) -> None:
    svg = panels.to_svg(figures.precision_recall(inputs.baseline, inputs.candidate))
    assert "var(--candidate)" in svg
    assert "var(--muted)" in svg
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)
    assert "DejaVu" not in svg


def test_an_svg_says_what_it_shows(inputs: ReportInputs) -> None:
    svg = panels.to_svg(figures.forest(inputs.comparison))
    assert f"mAP50-95 {inputs.comparison.metrics['map50_95'].delta:+.3f}, worse" in svg


@pytest.mark.filterwarnings("error")
def test_any_class_name_goes_into_a_confusion_matrix(inputs: ReportInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_cjk_font", lambda: ())  # as on a machine without Chinese fonts
    svg = panels.to_svg(figures.confusion("candidate", "mnv1_n", inputs.candidate))
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert {"红细胞", "<script>", "a$b$c", "xxxxxxxxxxxxx…", "background"} <= set(texts)


def test_a_confusion_matrix_of_many_classes_leaves_out_their_names() -> None:
    many = make_report_inputs(names=tuple(f"class {number}" for number in range(40)))
    svg = panels.to_svg(figures.confusion("baseline", "yolo11n", many.baseline))
    assert "class 7" not in svg


def test_figures_of_equal_inputs_have_equal_bytes(inputs: ReportInputs, tmp_path: Path) -> None:
    panel = figures.training(inputs.histories, "val_loss")
    assert panels.to_svg(panel) == panels.to_svg(panel)
    for name in ("a", "b"):
        panels.to_png([panel, panel], tmp_path / name / "curves.png", columns=2, legend=("yolo11n", "mnv1_n"))
    assert (tmp_path / "a/curves.png").read_bytes() == (tmp_path / "b/curves.png").read_bytes()
    with Image.open(tmp_path / "a/curves.png") as image:
        assert "Software" not in image.info


def test_a_training_of_one_epoch_and_a_model_against_itself_are_drawn(inputs: ReportInputs) -> None:
    histories = {arm: [history[:1] for history in seeds] for arm, seeds in inputs.histories.items()}
    still = inputs.comparison.metrics["map50_95"].model_copy(update={"delta": 0.0, "low": 0.0, "high": 0.0})
    comparison = inputs.comparison.model_copy(
        update={"margin": 0.0, "metrics": dict.fromkeys(inputs.comparison.metrics, still)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "var(--candidate)" in panels.to_svg(figures.training(histories, "map50_95"))
        assert "var(--" in panels.to_svg(figures.forest(comparison))


def test_the_cost_figure_leaves_out_large_stock_models_unless_they_are_compared(inputs: ReportInputs) -> None:
    arms = arms_by_label(inputs.sheet, inputs.comparison)
    svg = panels.to_svg(figures.cost_parts(inputs.sheet, arms, "gflops"))
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert {"mnv1_n (α 0.25)", "yolo11n", "yolo11s", "backbone", "neck", "head"} <= set(texts)
    assert "yolo11x" not in texts
    large = figures.cost_parts(inputs.sheet, arms | {"yolo11x": ["candidate"]}, "parameters")
    assert "yolo11x 91.50, of which backbone 98%" in large.description
