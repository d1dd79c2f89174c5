from __future__ import annotations

import pytest

from mobileyolo.reporting.comparison import tables
from mobileyolo.reporting.shared.cells import Table, console, markdown
from tests.synthetic_results import make_report_inputs


@pytest.mark.parametrize(
    ("baseline_skill", "candidate_skill", "expected"),
    [
        (0.6, 0.8, "Yes: mnv1_n gains "),
        (0.8, 0.6, "No: mnv1_n loses "),
        (0.8, 0.8, "Undecided: neither mnv1_n nor yolo11n is shown to be better."),
    ],
)
def test_the_headline_answers_the_question(baseline_skill: float, candidate_skill: float, expected: str) -> None:
    assert tables.headline(make_report_inputs(baseline_skill, candidate_skill).comparison).startswith(expected)


def test_the_question_names_the_width_of_a_mobilenet() -> None:
    comparison = make_report_inputs().comparison
    assert tables.question(comparison).startswith(
        "Is mnv1_n, MobileNetV1 at width 0.25, a better backbone than yolo11n"
    )
    stock = comparison.model_copy(
        update={"candidate": comparison.candidate.model_copy(update={"backbone": "yolo11s", "width": None})}
    )
    assert tables.question(stock).startswith("Is yolo11s a better backbone than yolo11n")


def test_arms_with_one_backbone_are_called_by_their_arm() -> None:
    comparison = make_report_inputs().comparison
    same = comparison.model_copy(update={"candidate": comparison.baseline})
    assert tables.arm_names(same) == ("yolo11n (baseline)", "yolo11n (candidate)")


def test_costs_show_the_latency_in_both_engines() -> None:
    comparison = make_report_inputs().comparison
    rows = {row[0]: row for row in tables.cost_table(comparison).rows}
    sentence = tables.cost_sentence(comparison)
    for name, key in (("latency, PyTorch", "latency_ms"), ("latency, ONNX Runtime", "latency_onnx_ms")):
        cost = comparison.costs[key]
        assert rows[name][1:3] == (f"{cost.baseline:.2f} ms", f"{cost.candidate:.2f} ms")
        assert f"{cost.ratio:.2f} times" in sentence
    assert "the latency of yolo11n in PyTorch, " in sentence
    assert sentence.endswith(" in ONNX Runtime.")


def test_metric_table_shows_signs_and_verdicts() -> None:
    comparison = make_report_inputs(0.8, 0.6).comparison
    first = tables.metric_table(comparison).rows[0]
    metric = comparison.metrics["map50_95"]
    assert first[0] == "mAP50-95"
    assert first[3] == f"{metric.delta:.3f}"
    assert first[3].startswith("-")
    assert first[-1] == "worse"


def test_class_table_has_means_over_seeds_and_starts_with_the_largest_loss() -> None:
    comparison, baseline, candidate, *_ = make_report_inputs(seeds=2)
    table = tables.class_table(comparison, baseline, candidate)
    differences = [float(row[-1]) for row in table.rows]
    assert differences == sorted(differences)
    name, *_, mean, _, _ = table.rows[0]
    per_seed = [result.statistics.per_class.set_index("name")["map50_95"][name] for result in baseline]
    assert float(mean) == pytest.approx(sum(per_seed) / 2, abs=5e-4)


def test_markdown_shows_any_cell_as_plain_text() -> None:
    table = Table(("class", "boxes"), "lr", (("<script>|*x*", "-1"),))
    assert markdown(table).splitlines() == [
        "| class | boxes |",
        "| :-- | --: |",
        r"| \<script\>\|\*x\* | -1 |",
    ]


def test_console_aligns_columns_also_below_chinese_names() -> None:
    table = Table(("class", "boxes", "verdict"), "lrl", (("红细胞", "7", "worse"), ("white", "12", "better")))
    assert console(table).splitlines() == [
        "class   boxes  verdict",
        "红细胞      7  worse",
        "white      12  better",
    ]


def test_summary_has_verdict_reason_and_every_class() -> None:
    comparison, baseline, candidate, *_ = make_report_inputs(names=("red", "<b>white"))
    summary = tables.summary(comparison, baseline, candidate)
    assert summary.startswith(f"## 🔴 {tables.headline(comparison)}\n")
    assert "Verdict: **worse**" in summary
    assert comparison.reason in summary
    assert "| red |" in summary
    assert r"| \<b\>white |" in summary


def test_console_report_has_the_answer_first() -> None:
    comparison = make_report_inputs().comparison
    report = tables.console_report(comparison)
    assert report.startswith(tables.headline(comparison))
    assert comparison.reason in report
    assert "latency" in report
