from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.measuring import Aim, Case, Sample
from benchmarks.results import Measurement, Results, measure
from benchmarks.table import BEGIN, END, row, tables, write_page
from tests.unit.benchmarks.made_up import HERE, make_case


def measured(case: Case, folder: Path) -> Measurement | None:
    file = folder / "benchmarks.json"
    list(measure(case, file, HERE))
    return Results.load(file).find(case)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_was_not_measured_says_so_beside_its_aim() -> None:
    line = row(make_case(aim=Aim("at least", 2.0)), None, {})
    assert cells(line) == ["mnv1_n", "images 200", "not measured yet", "", "", "", "at least 2", "", ""]


def test_a_row_has_medians_spread_figure_interval_and_whether_the_aim_is_reached(tmp_path: Path) -> None:
    ours = iter([40.0, 42.0, 38.0, 44.0, 36.0, 40.0])
    case = make_case(lambda name: next(ours) if name == "ours" else 10.0, aim=Aim("at least", 3.0))
    assert cells(row(case, measured(case, tmp_path), {})) == [
        *("mnv1_n", "images 200", "ours 40 s ± 4 %; peer 10 s ± 0 %", "4", "3.6 to 4.4", "6", "at least 3", "yes", ""),
    ]


def test_too_few_rounds_have_no_interval_and_all_of_them_decide(tmp_path: Path) -> None:
    ours = iter([1.0, 3.0])
    case = make_case(lambda name: next(ours) if name == "ours" else 1.0, aim=Aim("at most", 2.0), rounds=2)
    assert cells(row(case, measured(case, tmp_path), {}))[3:8] == ["2", "", "2", "at most 2", "unsure"]


@pytest.mark.parametrize(("memory_mb", "answer"), [(1500.0, "yes"), (2500.0, "no"), (None, "unsure")])
def test_an_aim_at_memory_has_to_be_reached_as_well(tmp_path: Path, memory_mb: float | None, answer: str) -> None:
    case = make_case(lambda _: Sample(1.0, memory_mb), aim=Aim("at most", 2.0), memory_aim_mb=2000)
    assert cells(row(case, measured(case, tmp_path), {}))[6:8] == ["at most 2, at most 2,000 MB", answer]


def test_below_the_tables_stands_what_each_line_was_measured_on(tmp_path: Path) -> None:
    first, second, missing = make_case(), make_case(subject="report"), make_case(subject="growth")
    file = tmp_path / "benchmarks.json"
    list(measure(first, file, HERE))
    list(measure(second, file, HERE.model_copy(update={"machine": "another CPU", "commit": "def5678"})))
    text = tables([first, second, missing], Results.load(file))
    assert [cells(line)[-1] for line in text.splitlines() if line.startswith("| mnv1_n")] == ["a", "b", ""]
    assert re.findall("^###? (.*)$", text, re.MULTILINE) == ["Training", "Report", "Growth"]
    assert text.endswith(
        "<sub>a: measured on some CPU, 2 cores. torch 2.14.1. Commits: abc1234.</sub>\n\n"
        "<sub>b: measured on another CPU. torch 2.14.1. Commits: def5678.</sub>\n"
    )


def test_only_what_is_between_the_marks_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{BEGIN}\nold\n\n{END}\nEnd.\n", encoding="utf-8")
    write_page("new", page)
    assert page.read_text(encoding="utf-8") == f"# Title\n\n{BEGIN}\nnew\n{END}\nEnd.\n"
