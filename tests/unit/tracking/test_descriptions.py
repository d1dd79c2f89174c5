from __future__ import annotations

from itertools import combinations

import pytest

from mobileyolo.core.backbones import BACKBONES
from mobileyolo.core.records import DatasetCard, SplitCount
from mobileyolo.tracking.descriptions import colour_of, of_comparison, of_experiment
from mobileyolo.tracking.pages import comparison_page
from mobileyolo.verdict.records import Comparison
from tests.synthetic_comparison import make_inputs


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return make_inputs().comparison


def test_every_backbone_has_a_colour_that_is_told_from_the_others() -> None:
    colours = [bytes.fromhex(colour_of(backbone)[1:]) for backbone in (*BACKBONES, "mnv1@0.75", "mnv1@2")]
    for one, other in combinations(colours, 2):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 20  # of 255, in one of red, green and blue


def test_an_experiment_says_what_its_dataset_is() -> None:
    card = DatasetCard(digest="0123456789" * 6, names=("a", "b"), splits={"test": SplitCount(images=1000, boxes=4)})
    text = of_experiment("odd`name", card, "7")
    assert text.startswith("Models of the dataset `odd'name`, compared ")
    assert "\n\n2 classes, digest `01234567`:\n\n" in text
    assert "| test | 1,000 | 4 |" in text


def test_the_first_line_about_an_experiment_leads_to_the_models_side_by_side() -> None:
    """MLflow shows no more of it until somebody asks."""
    card = DatasetCard(digest="0123456789" * 6, names=("a", "b"), splits={"test": SplitCount(images=1000, boxes=4)})
    first = of_experiment("cells", card, "7").partition("\n")[0]
    assert f"[in a table]({comparison_page('7')})" in first
    assert f"[in charts]({comparison_page('7', charts=True)})" in first


def test_a_compared_run_says_the_answer_with_its_table_and_leads_to_the_report(comparison: Comparison) -> None:
    text = of_comparison(comparison, "#/experiments/1/runs/2")
    metric, latency = comparison.metrics["map50_95"], comparison.costs["latency_ms"]
    assert latency.low
    assert latency.high
    assert (
        f"| mAP50-95 | {metric.baseline:.3f} | {metric.candidate:.3f} | {metric.delta:+.3f} "
        f"| {metric.low:+.3f} to {metric.high:+.3f} |" in text
    )
    assert f"| x {latency.ratio:.2f} | {latency.low:.2f} to {latency.high:.2f} |" in text
    assert comparison.reason in text
    assert "](#/experiments/1/runs/2/artifacts), in `report/mnv1_n-vs-yolo11n/index.html`" in text


def test_a_table_in_a_description_has_as_many_cells_in_each_line(comparison: Comparison) -> None:
    lines = [line for line in of_comparison(comparison, "#").splitlines() if line.startswith("|")]
    assert len(lines) > 5
    assert {line.count("|") for line in lines} == {6}
