from __future__ import annotations

import pytest

from benchmarks.cluster import KINDS, REMOTE, Request, cases, kind_of, values_of
from benchmarks.measuring import Scale

SERVER = "http://127.0.0.1:5000/api/2.0"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/mlflow/runs/create", "a new run"),
        ("POST", "/mlflow/runs/log-batch", "values of a run"),
        ("POST", "/mlflow/runs/search", "a search for runs"),
        ("POST", "/mlflow/runs/update", "the end of a run"),
        ("PUT", "/mlflow-artifacts/artifacts/1/models/m-1/artifacts/best.pt", "an artifact"),
        ("GET", "/mlflow-artifacts/artifacts?path=1", ""),
        ("GET", "/mlflow/runs/get?run_id=1", ""),
    ],
)
def test_a_request_is_known_by_its_method_and_path(method: str, path: str, kind: str) -> None:
    assert kind_of(method, SERVER + path) == kind


def test_a_load_has_a_value_for_each_case() -> None:
    kinds = (*KINDS, REMOTE)
    requests = [Request(kind, began=number / 10, seconds=0.1) for number, kind in enumerate(kinds)]
    assert list(values_of(requests, lost=0)) == [case.name for case in cases(Scale())]


def test_the_rate_is_of_all_requests_from_the_first_ones_begin_to_the_last_ones_end() -> None:
    requests = [Request(kind, began=5.0, seconds=seconds) for kind in (*KINDS, REMOTE) for seconds in (0.5, 1.0, 2.0)]
    values = values_of([*requests, Request("", began=4.0, seconds=0.5)], lost=3)
    assert values["requests a second"] == 19 / 3
    assert values["lost trials"] == 3
    assert values["a new run, median"] == 1_000
    assert values["a new run, 99th percentile"] == pytest.approx(1_980)


def test_the_figure_is_that_of_the_most_workers() -> None:
    case = cases(Scale())[0]
    with case.open() as ways:
        assert list(ways) == ["32 workers", "8 workers", "2 workers"]
