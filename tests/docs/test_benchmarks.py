"""docs/reference/benchmarks.md has a line for each benchmark, and none that is gone."""

from __future__ import annotations

import re

from benchmarks.__main__ import SUBJECTS, all_cases
from benchmarks.circumstances import ROOT
from benchmarks.measuring import Scale
from benchmarks.table import BEGIN, END, HEAD
from tests.docs.pages import read

PAGE = read(ROOT / "docs/reference/benchmarks.md")
TABLES = PAGE.partition(BEGIN)[2].partition(END)[0]


def test_every_benchmark_has_its_line_and_no_other_stands_there() -> None:
    found = []
    for section in TABLES.split("### ")[1:]:
        title, *lines = section.splitlines()
        names = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
        found += [(title.lower(), name) for name in names if name not in {"benchmark", ":--"}]
    assert found == [(case.subject, case.name) for case in all_cases(Scale())]


def test_the_tables_have_the_columns_that_the_command_writes() -> None:
    assert TABLES.count("\n".join(HEAD)) == len(SUBJECTS)


def test_every_subject_is_explained_with_its_aims() -> None:
    explained = re.findall(r"^\| (\w+) \|", PAGE.partition("## What is measured")[2].partition("\n## ")[0], re.M)
    assert explained == ["subject", *SUBJECTS]
    for case in all_cases(Scale()):
        if case.aim:
            assert f"{case.aim.value:g}" in PAGE.partition("## What was measured")[0]
