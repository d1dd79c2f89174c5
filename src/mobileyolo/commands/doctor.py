"""Find what a kill, a crash or a full disk has left in this workspace, explain it, and mend it with --fix.

Looked for are: DVC's own files that were half-written (its commands then say "JSON structure is corrupted"), a damaged
database of MLflow, stages that still run although their dvc is dead, temporary files of killed processes, a damaged
dvc.lock, a params.yaml that still holds what a failed `dvc exp run -S` has set, a `train.precision` that this processor
has no instructions for, and a folder outside git, where DVC refuses to run.

No result is ever touched: models/, reports/, data/, dvc.lock, DVC's cache and MLflow's runs. What is missing or changed
among them is what `dvc status` says; `dvc checkout` brings it back from DVC's cache.

The exit code is 0 if nothing is wrong or all was mended, else 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from pathlib import Path

from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError

SUMMARY = "find and mend what a kill or a full disk has left"
EXTRA = "pipeline"
EXAMPLES = """examples:
  mobileyolo doctor
  mobileyolo doctor --fix
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to mend."""
    parser.add_argument("--fix", action="store_true", help="mend what can be mended without a decision of yours")


def run(fix: bool) -> None:
    """Print a block for each finding, and what remains."""
    from mobileyolo.doctor import find

    if not Path("dvc.yaml").is_file():
        raise UserError(f"{Path.cwd()}: no dvc.yaml here; run from the repository's root")
    remaining = mendable = 0
    for finding in find():
        done = f"by hand: {finding.remedy}"
        mended = False
        if finding.mend and fix:
            try:
                finding.mend()
                mended, done = True, f"mended: {finding.remedy}"
            except Exception as error:  # noqa: BLE001 -- whatever stands in the way of one must not keep the others
                done = f"not mended ({error}); by hand: {finding.remedy}"
        elif finding.mend:
            mendable += 1
            done = f"--fix: {finding.remedy}"
        remaining += not mended
        say("\n".join([finding.what, *map(_filled, (finding.why, done)), ""]))
    if remaining:
        hint = f"; mobileyolo doctor --fix mends {mendable} of them" if mendable else ""
        say(f"wrong: {remaining}{hint}")
        sys.exit(1)
    say("Nothing is wrong here. `dvc status` says which results are missing or changed.")


def _filled(text: str) -> str:
    width = shutil.get_terminal_size().columns
    return textwrap.fill(
        text, width, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
