"""Look for faults in any YOLO dataset; nothing in it is changed and nothing is trained.

Faults (unreadable images, malformed lines, images in two splits ...) are errors beyond a tolerance of each kind.
Everything else that explains a low mAP is a warning with figures: unbalanced classes, few scenes, near-duplicates,
boxes that don't fit, tiny objects ... A second validation reads only the files that changed.

The exit code is 1 if the dataset must not be trained on, or if it has warnings and --strict was given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError

SUMMARY = "look for faults in any YOLO dataset"
EXTRA = "validate"
EXAMPLES = """examples:
  mobileyolo validate /data/helmets
  mobileyolo validate /data/helmets --report helmets-report --strict
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to validate, and where to."""
    parser.add_argument("dataset", type=Path, help="its folder, which is never changed")
    parser.add_argument(
        "--params",
        type=Path,
        metavar="FILE",
        help="its section validate has the limits, and evaluate.split says whether a test split is needed "
        "(default: params.yaml in this folder, else the one that is shipped)",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write a page, the findings and Data Docs into this folder"
    )
    parser.add_argument("--strict", action="store_true", help="warnings fail too")


def run(dataset: Path, params: Path | None, report: Path | None, strict: bool) -> None:
    """Validate and print."""
    from mobileyolo.core.config import load_params
    from mobileyolo.core.files import ValidationFiles
    from mobileyolo.dataset import validation
    from mobileyolo.dataset.findings import format_findings
    from mobileyolo.dataset.parameters import ValidationRules
    from mobileyolo.reporting.dataset.report import check_report_folder, write_report

    values = load_params(params or _params_file())
    rules = values.section(ValidationRules)
    held_out = values.get("evaluate.split", str) if "evaluate" in values.values else "auto"
    files = ValidationFiles(report) if report else None
    if files:
        check_report_folder(files, dataset)
    docs = files.docs if files else None
    found = validation.validate(dataset, rules, environment.cache_dir(), docs, held_out=held_out)
    if found.findings:
        say(format_findings(found.findings))
    for split, count in found.card.splits.items():
        say(f"{dataset}: {split}: {count.images:,} images, {count.boxes:,} boxes")
    if files:
        write_report(files, dataset, found)
        say(f"Report: {files.page.absolute()}")
    if not found.passed or (strict and found.findings):
        raise UserError(f"{dataset} did not pass validation{' without warnings' if found.passed else ''}")
    warnings = len(found.findings)
    say(f"{dataset}: passed, {warnings} warning{'' if warnings == 1 else 's'}")


def _params_file() -> Path:
    """The params.yaml of the working directory or, where there is none, the one that is shipped with this package."""
    from mobileyolo.core.config import PARAMS_FILE

    package = Path(__file__).resolve().parents[1]
    shipped = (package / PARAMS_FILE, package.parents[1] / PARAMS_FILE)  # in a wheel, in a checkout
    return next((path for path in (PARAMS_FILE, *shipped) if path.is_file()), PARAMS_FILE)
