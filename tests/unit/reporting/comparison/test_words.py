from __future__ import annotations

from typing import Any

import pytest

from mobileyolo.reporting.comparison import words
from mobileyolo.reporting.comparison.summary import MARKS, console_report, markdown_summary
from mobileyolo.reporting.shared.languages import ENGLISH
from mobileyolo.verdict import sentences
from mobileyolo.verdict.records import VERDICTS, Comparison, Verdict
from tests.synthetic_comparison import make_comparison


def with_maturity(comparison: Comparison, maturity: str) -> Comparison:
    """The candidate had not stopped learning."""
    return comparison.model_copy(update={"candidate": comparison.candidate.model_copy(update={"maturity": maturity})})


def with_guards(comparison: Comparison, **changes: Any) -> Comparison:
    return comparison.model_copy(update={"guards": comparison.guards.model_copy(update=changes)})


@pytest.mark.parametrize(
    ("verdict", "mark", "headline"),
    [
        ("better", "🟢", "Yes: mnv1_n gains 0.124 mAP50-95 over yolo11n, at 0.79 times the latency."),
        ("worse", "🔴", "No: mnv1_n loses 0.124 mAP50-95 to yolo11n."),
        ("equivalent", "🔵", "As good within 0.01, at 0.79 times the latency: mnv1_n and yolo11n."),
        ("no worse", "🟢", "No worse within 0.01, at 0.79 times the latency: mnv1_n than yolo11n."),
        ("no better", "🟠", "mnv1_n is no better than yolo11n beyond 0.01; worse is not shown."),
        ("inconclusive", "🟡", "Undecided: neither mnv1_n nor yolo11n is shown to be better."),
    ],
)
def test_every_verdict_has_its_badge_and_its_headline(verdict: Verdict, mark: str, headline: str) -> None:
    comparison = make_comparison(verdict=verdict)
    assert words.badge(comparison, ENGLISH) == (verdict.replace(" ", "-"), verdict)
    assert sentences.headline(comparison) == headline
    summary = markdown_summary(comparison)
    assert summary.startswith(f"## {mark} {headline}\n")
    assert f"Verdict: **{verdict}**, provisional." in summary
    assert console_report(comparison).startswith(f"{headline}\n")


def test_several_seeds_are_not_provisional() -> None:
    assert "Verdict: **worse**. " in markdown_summary(make_comparison(seeds=3))


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("maturity", ["rising", "untrained"])
def test_a_verdict_on_a_model_that_has_not_learnt_enough_is_grey(verdict: Verdict, maturity: str) -> None:
    comparison = with_maturity(make_comparison(verdict=verdict), maturity)
    assert words.badge(comparison, ENGLISH) == ("grey", f"{verdict} after 40 epochs")
    assert markdown_summary(comparison).startswith(f"## {MARKS['grey']} After 40 epochs: ")


def test_too_few_scenes_give_no_verdict() -> None:
    comparison = with_guards(make_comparison(verdict="better"), few_scenes="no verdict", scenes=7)
    assert words.badge(comparison, ENGLISH) == ("grey", "no verdict")
    assert sentences.headline(comparison) == "No verdict: 7 independent test scenes are too few."


def test_a_latency_of_a_busy_machine_is_marked_and_claims_nothing() -> None:
    comparison = make_comparison(verdict="better")
    busy = comparison.costs["latency_ms"].model_copy(update={"busy": True})
    comparison = comparison.model_copy(update={"costs": comparison.costs | {"latency_ms": busy}})
    assert words.ratio(busy, ENGLISH) == "0.79 (0.75 to 0.82) machine busy"
    assert "latency" not in sentences.headline(comparison)
    assert "0.79" not in sentences.cost(comparison)
    assert "its latency is not known" in sentences.cost(comparison)


def test_the_errors_that_explain_the_difference_are_those_of_the_arm_behind() -> None:
    comparison = make_comparison()
    assert words.error_sentence(comparison, ENGLISH) == (
        "mnv1_n is behind most by these errors: “wrong class” costs it 0.210 AP50, yolo11n 0.010; "
        "“nothing labelled there” costs it 0.070 AP50, yolo11n 0.010."
    )
    ahead = comparison.metrics["map50_95"].model_copy(update={"delta": 0.124})
    comparison = comparison.model_copy(update={"metrics": comparison.metrics | {"map50_95": ahead}})
    assert words.error_sentence(comparison, ENGLISH) == (
        "yolo11n is behind most by these errors: “missed” costs it 0.010 AP50, mnv1_n 0.005."
    )
    none = tuple(each.model_copy(update={"delta": 0.0}) for each in comparison.errors)
    assert words.error_sentence(comparison.model_copy(update={"errors": none}), ENGLISH) == (
        "No kind of error costs yolo11n more AP50 than mnv1_n."
    )
