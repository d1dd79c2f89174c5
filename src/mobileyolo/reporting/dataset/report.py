"""The files of a validation: verdict.json, findings.csv and index.html."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mobileyolo.core.errors import UserError
from mobileyolo.core.files import ValidationFiles, write_table
from mobileyolo.dataset.findings import offenders_table, verdict_of
from mobileyolo.reporting.dataset.page import write_page

if TYPE_CHECKING:  # it imports Great Expectations, which takes seconds
    from mobileyolo.dataset.validation import Validation


def write_report(files: ValidationFiles, root: Path, validation: Validation) -> None:
    """Write the report of a dataset into a folder; Data Docs may be in it already."""
    verdict_of(validation.findings).write(files.verdict)
    write_table(files.findings, offenders_table(validation.findings))
    write_page(files, root, validation.findings, validation.card, validation.manifest)


def check_report_folder(files: ValidationFiles, root: Path) -> None:
    """Refuse a folder where a report would overwrite something else.

    Raises:
        UserError: it holds something other than an earlier report, or is inside the dataset, which is never changed.
    """
    folder = files.folder
    if any(path.resolve().is_relative_to(root.resolve()) for path in (folder, files.docs)):
        raise UserError(f"--report: {folder}: is inside the dataset, which is never changed; choose a folder outside")
    if root.resolve().is_relative_to(files.docs.resolve()):  # which a report replaces
        raise UserError(f"--report: {folder}: the dataset is inside it, and is never changed; choose another folder")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not files.verdict.is_file())):
        raise UserError(f"--report: {folder}: is neither an empty folder nor an earlier report; choose another")
