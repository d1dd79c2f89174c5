"""Print the last comparison: verdict, metrics with intervals, costs, and where its page lies.

It reads reports/comparison.json, which `dvc repro` writes, and runs nothing. A row says better or worse only where the
whole interval lies beyond compare.margin of params.yaml; everything else is inconclusive.
"""

from __future__ import annotations

import argparse

SUMMARY = "print the last comparison"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo show
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run() -> None:
    """Print it."""
    from mobileyolo.commands.outcome import last_comparison
    from mobileyolo.core.files import REPORT_FILE
    from mobileyolo.reporting.comparison.tables import console_report

    print(console_report(last_comparison()))
    print(f"\nReport: {REPORT_FILE.resolve()}\nRuns:   mlflow ui")
