from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measuring import Sample
from benchmarks.results import Results, measure
from tests.unit.benchmarks.made_up import HERE, make_case


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reports/benchmarks.json"


def runs_of(file: Path, **changes: Any) -> int:
    """How often a case's ways are run, if it is measured now."""
    runs: list[str] = []
    circumstances = HERE.model_copy(update=changes.pop("here", {}))
    again = bool(changes.pop("again", False))
    list(measure(make_case(lambda name: runs.append(name) or 1.0, **changes), file, circumstances, again=again))  # type: ignore[func-returns-value]
    return len(runs)


def test_what_is_measured_is_not_measured_again(file: Path) -> None:
    assert runs_of(file) == 2 * 6
    assert runs_of(file) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"here": {"commit": "def5678"}},
        {"here": {"machine": "another CPU"}},
        {"here": {"versions": {"torch": "2.15"}}},
        {"size": {"images": 400}},
        {"again": True},
    ],
    ids=str,
)
def test_other_code_versions_machine_or_size_and_again_measure_all_of_it_anew(
    file: Path, changes: dict[str, object]
) -> None:
    runs_of(file)
    assert runs_of(file, **changes) == 2 * 6
    assert len(Results.load(file).measurements) == 1


def test_a_stopped_measurement_keeps_its_finished_rounds_and_goes_on_after_them(file: Path) -> None:
    numbers = itertools.count(1)

    def stopped(_name: str) -> float:
        if (number := next(numbers)) == 6:  # the second way of the third round
            raise KeyboardInterrupt
        return number

    with pytest.raises(KeyboardInterrupt):
        list(measure(make_case(stopped), file, HERE))
    assert len(Results.load(file).measurements[0].rounds) == 2
    assert runs_of(file) == 2 * 4
    (measured,) = Results.load(file).measurements
    assert measured.values == {"ours": (1, 4, 1, 1, 1, 1), "peer": (2, 3, 1, 1, 1, 1)}


def test_other_cases_stay_as_they_are(file: Path) -> None:
    runs_of(file)
    before = Results.load(file).find(make_case())
    runs_of(file, name="yolo11n")
    runs_of(file, subject="evaluation")
    assert len(Results.load(file).measurements) == 3
    assert Results.load(file).find(make_case()) == before


def test_of_memory_the_most_of_all_rounds_is_kept_where_it_was_watched(file: Path) -> None:
    watched = iter([None, 300.0, None, 500.0, None, 400.0])

    def told(name: str) -> Sample:
        return Sample(1.0, next(watched) if name == "ours" else None)

    list(measure(make_case(told), file, HERE))
    assert Results.load(file).measurements[0].memory_mb == {"ours": 500.0}
