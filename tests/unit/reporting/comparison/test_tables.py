from __future__ import annotations

import pytest

from mobileyolo.core.records import Start, Teacher, WeightsSource
from mobileyolo.reporting.comparison import tables
from mobileyolo.reporting.comparison.summary import markdown_summary
from mobileyolo.reporting.shared.cells import markdown
from mobileyolo.reporting.shared.languages import ENGLISH
from mobileyolo.verdict.records import ERROR_KINDS
from tests.synthetic_comparison import DIGEST, make_comparison, make_inputs


def test_every_metric_has_the_badge_of_its_own_verdict() -> None:
    comparison = make_comparison()
    undecided = comparison.metrics["map75"].model_copy(update={"verdict": "no better"})
    comparison = comparison.model_copy(update={"metrics": comparison.metrics | {"map75": undecided}})
    table = tables.metric_table(comparison, ENGLISH)
    assert table.rows[0] == ("mAP50-95", "0.578", "0.454", "-0.124", "-0.190 to -0.060", "worse")
    assert [row[0] for row in table.rows] == ["mAP50-95", "mAP50", "mAP75"]
    assert table.marks == ("worse", "worse", "no-better")


def test_metrics_at_the_confidence_to_deploy_with_decide_nothing_and_may_be_missing() -> None:
    table = tables.deployed_table(make_comparison(), ENGLISH)
    assert table.marks == ()
    assert "verdict" not in table.header
    assert table.rows[:2] == (
        ("precision", "0.900", "–", "–", "–"),  # nothing was predicted
        ("recall", "0.870", "0.790", "-0.080", "-0.150 to -0.010"),
    )


def test_a_class_without_predictions_has_no_precision() -> None:
    inputs = make_inputs(seeds=2)
    table = tables.deployed_class_table(inputs.comparison, inputs.results, ENGLISH)
    assert table.header[:3] == ("class", "precision, yolo11n", "precision, mnv1_n")
    assert table.rows[0] == ("red", "–", "–", "0.500", "0.500", "0.400", "0.400")


def test_sizes_stand_beside_ultralytics_and_no_object_of_a_size_is_no_number() -> None:
    rows = {row[0]: row[1:] for row in tables.size_table(make_comparison(), ENGLISH).rows}
    assert rows["AP"] == ("0.500", "0.400", "0.578", "0.454")
    assert rows["AP, small objects"] == ("0.500", "0.400", "–", "–")
    assert rows["AP, large objects"] == ("–", "–", "–", "–")


def test_costs_start_with_the_latencies_and_a_busy_machine_is_told() -> None:
    rows = tables.cost_table(make_comparison(), ENGLISH).rows
    assert rows[:3] == (
        (
            "latency: PyTorch, 1 image of 320 x 320 px, without suppression",
            "42.60 ms",
            "33.20 ms",
            "0.79 (0.75 to 0.82)",
        ),
        (
            "latency: ONNX Runtime, 1 image of 320 x 320 px, without suppression",
            "20.10 ms",
            "12.00 ms",
            "0.60 (0.40 to 1.10) machine busy",
        ),
        ("parameters", "2.60 M", "1.80 M", "0.71"),
    )


def test_errors_have_their_cost_with_its_interval_and_their_number() -> None:
    rows = tables.error_table(make_comparison(), ENGLISH).rows
    assert len(rows) == len(ERROR_KINDS)
    assert rows[0] == ("wrong class", "0.010", "0.210", "+0.200", "+0.180 to +0.220", "12", "40")


def test_a_rare_class_is_marked() -> None:
    names = [row[0] for row in tables.class_table(make_comparison(), ENGLISH).rows]
    assert names == ["red", "white", "platelet (rare)", "other"]


def test_every_seed_has_its_confidence() -> None:
    table = tables.confidence_table(make_comparison(seeds=2), ENGLISH)
    assert table.header == ("confidence to deploy with", "seed 0", "seed 1")
    assert table.rows == (("yolo11n", "0.310", "0.310"), ("mnv1_n", "0.310", "0.310"))


def test_what_the_models_start_from_is_shown_where_it_is_not_random() -> None:
    comparison = make_comparison()
    assert tables.start_table(comparison, ENGLISH) is None
    source = WeightsSource(name="coco.pt", digest=DIGEST)
    start = Start(sources={"detector": source}, tensors=100, of_tensors=475, values=1_000_000, of_values=2_000_000)
    teacher = Teacher(name="large.pt", digest=DIGEST)
    taught = comparison.candidate.model_copy(update={"start": start, "teachers": (teacher,)})
    table = tables.start_table(comparison.model_copy(update={"candidate": taught}), ENGLISH)
    assert table is not None
    assert table.rows == (
        ("yolo11n", "random weights", "0 of 475", "0.00 of 1.87 M", "nobody"),
        ("mnv1_n", "coco.pt", "100 of 475", "1.00 of 2.00 M", "large.pt"),
    )


@pytest.mark.parametrize("name", ["<b>white", "a|b", "*x*"])
def test_markdown_shows_any_class_name_as_plain_text(name: str) -> None:
    comparison = make_comparison(classes=(name,))
    table = markdown(tables.class_table(comparison, ENGLISH))
    assert table in markdown_summary(comparison)
    row = table.splitlines()[2]
    for mark in "<>*":
        assert row.count(mark) == row.count(f"\\{mark}") == name.count(mark)
    assert row.replace("\\|", "").count("|") == 8  # seven columns
