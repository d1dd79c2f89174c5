from __future__ import annotations

from pathlib import Path

from PIL import Image

from benchmarks import figures
from benchmarks.measuring import Case, Sample
from benchmarks.results import Results
from tests.unit.benchmarks.made_up import HERE, make_case


def measured(*cases: tuple[Case, dict[str, float]]) -> Results:
    results = Results()
    for case, values in cases:
        results = results.with_round(case, HERE, {way: Sample(value) for way, value in values.items()})
    return results


def grown() -> tuple[Case, dict[str, float]]:
    case = make_case(subject="growth", name="train, by epochs", figure="exponent")
    return case, {"4": 2.0, "16": 5.0, "64": 17.0}


def test_a_stage_has_a_panel_with_its_exponent() -> None:
    case, values = grown()
    (panel,) = figures.growth([case, make_case(subject="report")], measured((case, values)))
    assert panel.title == "train: exponent 1.00"
    assert (panel.across, panel.up, panel.lines) == ("epochs", "s", {"": {4: 2.0, 16: 5.0, 64: 17.0}})


def test_requests_are_lines_of_one_panel_and_the_rate_has_its_own() -> None:
    rate = make_case(subject="cluster", name="requests a second", unit="requests/s", figure="value")
    new, end = (
        make_case(subject="cluster", name=f"{kind}, median", unit="ms", figure="value")
        for kind in ("a new run", "an end")
    )
    loads = {"32 workers": 3.0, "8 workers": 2.0}
    found = figures.cluster([rate, new, end], measured((rate, loads), (new, loads), (end, loads)))
    assert [(panel.title, panel.up) for panel in found] == [
        ("requests a second", "requests/s"),
        ("time of a request, median", "ms"),
    ]
    assert found[1].lines == {kind: {8: 2.0, 32: 3.0} for kind in ("a new run", "an end")}


def test_what_was_not_measured_has_no_figure(tmp_path: Path) -> None:
    case, values = grown()
    figures.write([case], Results(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    figures.write([case], measured((case, values)), tmp_path)
    with Image.open(tmp_path / "benchmarks-growth.png") as image:
        assert image.size == (420, 340)
    (only,) = tmp_path.iterdir()
    assert only.name == "benchmarks-growth.png"
