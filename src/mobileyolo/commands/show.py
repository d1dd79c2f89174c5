"""Print the last comparison: verdict, metrics with intervals, costs, and where its page lies.

It reads reports/comparison.json, which `dvc repro` writes, and runs nothing.
"""

from __future__ import annotations

import argparse

from mobileyolo.commands.outcome import last_comparison, staleness
from mobileyolo.reporting.comparison.closing import next_steps
from mobileyolo.reporting.comparison.tables import console_report

SUMMARY = "print the last comparison"
EXAMPLES = """examples:
  mobileyolo show
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run() -> None:
    """Print it."""
    comparison = last_comparison()
    print(console_report(comparison))
    print(next_steps(comparison))
    for line in staleness():
        print(line)
