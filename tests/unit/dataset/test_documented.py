from __future__ import annotations

import re
from pathlib import Path

from mobileyolo.core.config import load_params
from mobileyolo.dataset.faults import FAULTS
from mobileyolo.dataset.finding_kinds import FaqLine
from mobileyolo.dataset.parameters import ValidationRules
from mobileyolo.dataset.quality import QUALITY
from mobileyolo.dataset.validation import FIXED_TOLERANCE

PAGE = (Path(__file__).parents[3] / "docs/reference/findings.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_kind_is_described_once_and_no_other() -> None:
    described = [name for row in ROWS for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(described) == sorted(kind.name for kind in (*FAULTS, *QUALITY))


def test_the_thresholds_are_those_of_params_yaml() -> None:
    rules = load_params().section(ValidationRules)
    quality = rules.quality.model_dump()
    for row in ROWS:
        names, _, *numbers = (cell.strip() for cell in row.strip("|").split("|"))
        for position, name in enumerate(re.findall(r"`(\w+)`", names)):
            if name in quality:
                limits, shares = (cell.split(", ") for cell in numbers)
                assert float(limits[min(position, len(limits) - 1)]) == quality[name]["limit"], name
                assert float(shares[min(position, len(shares) - 1)]) == quality[name]["share"], name
            elif name not in FIXED_TOLERANCE:
                assert float(numbers[0]) == rules.tolerance.model_dump()[name], name


def test_every_line_of_the_faq_that_a_quality_finding_answers_is_a_heading() -> None:
    for line in {kind.faq for kind in QUALITY} - {FaqLine.DATA}:
        chinese = line.value.partition("(")[2].rstrip(")")
        assert chinese in PAGE
