"""Command line: python -m mobileyolo show."""

from __future__ import annotations

import argparse
import sys

from mobileyolo.artifacts import COMPARISON_FILE, REPORT_FILE, Comparison
from mobileyolo.reporting.tables import console_report


def show() -> None:
    """Print the last comparison and where its report lies."""
    if not COMPARISON_FILE.is_file():
        sys.exit(f"error: {COMPARISON_FILE}: no such file; run dvc repro first")
    print(console_report(Comparison.read(COMPARISON_FILE)))
    print(f"\nReport: {REPORT_FILE.resolve()}\nRuns:   mlflow ui")


def main() -> None:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="python -m mobileyolo", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("show", help="print the last comparison").set_defaults(run=show)
    parser.parse_args().run()


if __name__ == "__main__":
    main()
