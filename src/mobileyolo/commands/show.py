"""Print the last comparison: verdict, metrics with intervals, costs, and where its page lies.

It reads reports/comparison.json, which `dvc repro` writes, and runs nothing. The verdict
says on which side of compare.margin of params.yaml the whole interval lies, or that it is inconclusive.

Below it stand the DVC experiment that it is of, if it is of one, and what newer ones of the present commit have found,
such as those of a queue.

The last lines say how to go on, and whether params.yaml has changed since or the last run failed.
"""

from __future__ import annotations

import argparse

from mobileyolo.core.console import say

SUMMARY = "print the last comparison"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo show
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run() -> None:
    """Print it."""
    from mobileyolo.commands.beside import beside
    from mobileyolo.commands.last_run import last_comparison, staleness
    from mobileyolo.reporting.comparison.next_steps import next_steps
    from mobileyolo.reporting.comparison.summary import console_report

    comparison = last_comparison()
    say(console_report(comparison))
    if experiments := beside(comparison):
        say(f"\n{experiments}")
    stale = list(staleness())
    say("\n".join(["", *stale]) if stale else next_steps(comparison))
