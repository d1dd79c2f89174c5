"""Look for faults in any YOLO dataset; nothing in it is changed and nothing is trained.

Faults (unreadable images, malformed lines, images in two splits ...) are errors beyond a tolerance of each kind.
Everything else that explains a low mAP is a warning. Limits are those of the section validate of params.yaml.
Exit code 1: it must not be trained on, or has warnings and --strict was given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.config import PARAMS_FILE, load_params
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import ValidationFiles
from mobileyolo.dataset.rules import ValidationRules

SUMMARY = "look for faults in any YOLO dataset"
EXAMPLES = """examples:
  mobileyolo validate /data/helmets
  mobileyolo validate /data/helmets --report helmets-report --strict
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to validate, and where to."""
    parser.add_argument("dataset", type=Path, help="its folder; never changed")
    parser.add_argument("--params", type=Path, default=_params_file(), help="whose section validate has the limits")
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write the page, the findings and Data Docs there"
    )
    parser.add_argument("--strict", action="store_true", help="warnings fail too")


def run(dataset: Path, params: Path, report: Path | None, strict: bool) -> None:
    """Validate and print."""
    from mobileyolo.dataset import validation  # Great Expectations takes seconds to import
    from mobileyolo.dataset.findings import format_findings
    from mobileyolo.reporting.dataset.report import check_report_folder, write_report

    rules = load_params(params).section(ValidationRules)
    files = ValidationFiles(report) if report else None
    if files:
        check_report_folder(files, dataset)
    found = validation.validate(dataset, rules, environment.cache_dir(), files.docs if files else None)
    if found.findings:
        print(format_findings(found.findings))
    for split, count in found.card.splits.items():
        print(f"{dataset}: {split}: {count.images:,} images, {count.boxes:,} boxes")
    if files:
        write_report(files, dataset, found)
        print(f"Report: {files.page.resolve()}")
    if not found.passed or (strict and found.findings):
        raise UserError(f"{dataset} did not pass validation{' without warnings' if found.passed else ''}")
    warnings = len(found.findings)
    print(f"{dataset}: passed, {warnings} warning{'' if warnings == 1 else 's'}")


def _params_file() -> Path:
    """The params.yaml of the working directory or, where there is none, of this package's checkout."""
    checkout = Path(__file__).resolve().parents[3] / PARAMS_FILE
    return checkout if checkout.is_file() and not PARAMS_FILE.is_file() else PARAMS_FILE
