"""Print what was tried, the best first: every model of an MLflow store, in tables of what can be compared.

A table holds models of the same data, recipe, engine and evaluation; a row is a candidate or a baseline, over all of
its seeds. A difference has an interval where a comparison has logged one. Above each table stands how many candidates
were measured on these images: the best of many is partly the luckiest.

It only reads the store, a local one or a server's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError

SUMMARY = "print every model of the store, the best first"
EXTRA = "pipeline"
EXAMPLES = """examples:
  mobileyolo leaderboard
  mobileyolo leaderboard --data digits --output leaderboard.html
  mobileyolo leaderboard --store http://localhost:5000 --format markdown
"""

FORMATS = ("table", "html", "markdown", "csv")
ENDINGS = {".html": "html", ".md": "markdown", ".csv": "csv"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, and how they are shown."""
    parser.add_argument(
        "--store",
        metavar="URI",
        help="MLflow's store, such as http://localhost:5000 or sqlite:///mlflow.db (default: MLFLOW_TRACKING_URI, else "
        "mlflow.db in this folder)",
    )
    parser.add_argument("--data", metavar="NAME", help="one dataset only: its folder's name, or how its digest begins")
    parser.add_argument(
        "--format", dest="form", choices=FORMATS, help="default: by the ending of --output, else a table"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it there instead of printing it")


def run(store: str | None, data: str | None, form: str | None, output: Path | None) -> None:
    """Read, rank, and print or write."""
    from mobileyolo.core.files import write_text
    from mobileyolo.leaderboard.ranking import rank
    from mobileyolo.reporting.leaderboard.formats import render
    from mobileyolo.tracking import read_runs

    if output and output.is_dir():
        raise UserError(f"--output {output} is a folder; name a file in it")
    board = rank(read_runs(store), data)
    form = form or ENDINGS.get(output.suffix.lower() if output else "", "table")
    if output is None:
        say(render(board, form), end="")
    else:
        write_text(output, render(board, form))
        say(f"Leaderboard: {output.absolute()}")
