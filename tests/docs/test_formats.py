"""docs/reference/formats.md: each row has a test that is there, and the names of splits are those of the code."""

from __future__ import annotations

import ast
import re

from mobileyolo.dataset.description import SPLIT_NAMES
from tests.docs.pages import ROOT, read

PAGE = read(ROOT / "docs/reference/formats.md")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")]


def test_each_row_names_a_test_that_is_there() -> None:
    named = [row[2] for row in ROWS if len(row) == 4 and row[0] not in {":--", "Variant"}]
    there = {
        f"`{file.name}::{node.name}`"
        for file in (ROOT / "tests/unit/importing").glob("test_*.py")
        for node in ast.parse(read(file)).body
        if isinstance(node, ast.FunctionDef)
    }
    assert named
    assert [test for test in named if test not in there] == []


def test_the_names_of_splits_are_those_of_the_code() -> None:
    listed = {row[0]: tuple(re.findall("`([a-z]+)`", row[1])) for row in ROWS if row[0] in SPLIT_NAMES}
    assert listed == SPLIT_NAMES
