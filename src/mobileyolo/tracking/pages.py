"""MLflow's page that compares the models of one dataset: a saved view of the table of runs, and links to it (pure).

MLflow (3.17) keeps a view in a tag of the experiment, and lists it in the menu *Views*. A link names the view; columns
and charts can't stand in a link themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mobileyolo.verdict.records import DECIDING_METRIC

_NAME = "Comparison"
_KEY = "comparison"  # of the view, in its tag and in links
VIEW_TAG = f"mlflow.sharedViewState.{_KEY}"
_LOCAL = "http://127.0.0.1:5000"  # where `mlflow ui` is by default

_COLUMNS = {
    "params": ("backbone",),
    "metrics": (DECIDING_METRIC, "parameters", "gflops", "latency_ratio"),
    "tags": ("arm", "verdict"),
}
_CHARTS: Mapping[str, Mapping[str, Any]] = {
    "accuracy": {"type": "BAR", "metricKey": DECIDING_METRIC, "dataAccessKey": DECIDING_METRIC},
    "cost": {
        "type": "SCATTER",
        "xaxis": {"key": "gflops", "type": "METRIC"},
        "yaxis": {"key": DECIDING_METRIC, "type": "METRIC"},
    },
    "latency": {"type": "BAR", "metricKey": "latency_ratio", "dataAccessKey": "latency_ratio"},
}
_RUNS = 20  # in charts: MLflow offers all of them, none, or the first 10 or 20


def comparison_view() -> str:
    """The view as MLflow keeps it: the best model first, with what it costs, and charts of both before all others."""
    columns = [f"{kind}.`{name}`" for kind, names in _COLUMNS.items() for name in names]
    state = {
        "searchFilter": "",
        "orderByKey": f"metrics.`{DECIDING_METRIC}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": f"FIRST_{_RUNS}_RUNS",
        "compareRunSections": [{"uuid": _KEY, "name": _NAME, "display": True}],
        "compareRunCharts": [
            {"uuid": name, "metricSectionId": _KEY, "runsCountToCompare": _RUNS, **chart}
            for name, chart in _CHARTS.items()
        ],
        "isAccordionReordered": True,  # else sections are sorted by name
    }
    return json.dumps({"name": _NAME, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


def comparison_page(experiment: str, charts: bool = False) -> str:
    """Where an experiment's models are compared, as a link from any page of MLflow's.

    Args:
        experiment: its id.
        charts: the models as charts, in place of the table.

    >>> comparison_page("3")
    '#/experiments/3/runs?viewStateShareKey=comparison&workflowType=machine_learning'
    """
    mode = "&compareRunsMode=CHART" if charts else ""
    return f"#/experiments/{experiment}/runs?viewStateShareKey={_KEY}&workflowType=machine_learning{mode}"


def way_to(page: str, store: str) -> str:
    """How somebody at a terminal comes to a page: its address, after a command where that starts the server.

    Args:
        page: a link from any page of MLflow's.
        store: the store's address; a login in it is left out.

    >>> way_to("#/experiments/3", "https://me:secret@mlflow.example/team/")
    'https://mlflow.example/team/#/experiments/3'
    >>> way_to("#/experiments/3", "sqlite:///mlflow.db")
    'mlflow ui, then http://127.0.0.1:5000/#/experiments/3'
    """
    if re.match("https?://", store):
        return f"{re.sub('(?<=://)[^/@]*@', '', store).rstrip('/')}/{page}"
    return f"mlflow ui, then {_LOCAL}/{page}"
