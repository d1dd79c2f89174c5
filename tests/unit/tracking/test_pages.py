from __future__ import annotations

import json

import pytest

from mobileyolo.tracking.pages import VIEW_TAG, comparison_page, comparison_view, way_to


def test_the_view_shows_each_backbone_with_its_accuracy_and_its_costs_the_best_first() -> None:
    state = json.loads(json.loads(comparison_view())["state"])
    assert state["selectedColumns"][:5] == [
        "params.`backbone`",
        "metrics.`map50_95`",
        "metrics.`parameters`",
        "metrics.`gflops`",
        "metrics.`latency_ratio`",
    ]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`map50_95`", False)


def test_each_chart_of_the_view_is_in_a_section_of_it() -> None:
    state = json.loads(json.loads(comparison_view())["state"])
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert state["compareRunCharts"]
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    assert len({chart["uuid"] for chart in state["compareRunCharts"]}) == len(state["compareRunCharts"])


def test_the_link_names_the_view() -> None:
    assert f"viewStateShareKey={VIEW_TAG.rpartition('.')[2]}&" in comparison_page("7")
    assert comparison_page("7", charts=True) == comparison_page("7") + "&compareRunsMode=CHART"


@pytest.mark.parametrize(
    ("store", "way"),
    [
        ("sqlite:///mlflow.db", "mlflow ui, then http://127.0.0.1:5000/#/page"),
        ("postgresql://me:secret@database.example/mlflow", "mlflow ui, then http://127.0.0.1:5000/#/page"),
        ("http://mlflow.example:5000", "http://mlflow.example:5000/#/page"),
        ("https://me:secret@mlflow.example/team/", "https://mlflow.example/team/#/page"),
    ],
)
def test_the_way_to_a_page_begins_at_the_server_or_at_the_command_that_starts_one(store: str, way: str) -> None:
    assert way_to("#/page", store) == way
