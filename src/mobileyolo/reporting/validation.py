"""What validation leaves for people and programs: verdict.json, findings.csv and index.html."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mobileyolo.dataset.findings import offenders_table, verdict_of
from mobileyolo.errors import UserError
from mobileyolo.files import write_table
from mobileyolo.reporting.validation_page import write_page

if TYPE_CHECKING:  # it brings Great Expectations, which takes seconds
    from mobileyolo.dataset.validation import Validation

VERDICT, FINDINGS, PAGE, DOCS = "verdict.json", "findings.csv", "index.html", "docs"


def write_report(folder: Path, root: Path, validation: Validation) -> Path:
    """Write the report of a dataset into a folder, where Data Docs may lie in docs/ already, and return its page."""
    verdict_of(validation.findings).write(folder / VERDICT)
    write_table(folder / FINDINGS, offenders_table(validation.findings))
    docs = folder / DOCS
    shown = docs if docs.is_dir() else None
    write_page(folder, root, validation.findings, validation.card, validation.manifest, shown)
    return folder / PAGE


def check_report_folder(folder: Path, root: Path) -> None:
    """Refuse a folder where a report would overwrite something else.

    Raises:
        UserError: it holds something that is no earlier report, or lies in the dataset, which is never changed.
    """
    if any(path.resolve().is_relative_to(root.resolve()) for path in (folder, folder / DOCS)):
        raise UserError(f"--report: {folder}: lies in the dataset, which is never changed; choose a folder outside")
    if root.resolve().is_relative_to(folder.resolve() / DOCS):  # which a report replaces
        raise UserError(f"--report: {folder}: the dataset lies in it, and is never changed; choose another folder")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / VERDICT).is_file())):
        raise UserError(f"--report: {folder}: is no empty folder and no earlier report; choose another")
