"""Gate the dataset: what fails here reaches no training."""

from __future__ import annotations

import shutil
from pathlib import Path

from mobileyolo.config import Params
from mobileyolo.dataset.validation import format_findings, validate
from mobileyolo.errors import DatasetError
from mobileyolo.files import (
    DATA_DOCS_DIR,
    DATASET_FILE,
    FINDINGS_FILE,
    MANIFEST_DIR,
    VALIDATION_DIR,
    VERDICT_FILE,
    write_table,
)
from stages import run


def main(params: Params) -> None:
    """Write reports/validation/ and, if the dataset passes, data/dataset.yaml and data/manifest/."""
    # What an earlier dataset left must not outlive a failure.
    DATASET_FILE.unlink(missing_ok=True)
    for folder in (MANIFEST_DIR, VALIDATION_DIR):
        shutil.rmtree(folder, ignore_errors=True)

    root = Path(params.data.dir)
    validation = validate(root, params.validate_.tolerance, DATA_DOCS_DIR)
    validation.verdict().write(VERDICT_FILE)
    write_table(FINDINGS_FILE, validation.offenders())
    findings = format_findings(validation.findings)
    if not validation.passed:
        where = f"all of it in {FINDINGS_FILE} and {DATA_DOCS_DIR / 'index.html'}"
        raise DatasetError(f"{root} did not pass validation; paths are below it, {where}\n{findings}")
    validation.card.held_out(params.evaluate.split)  # raises now rather than after the training
    validation.card.write(DATASET_FILE)
    validation.manifest.write(MANIFEST_DIR)
    if findings:
        print(findings)
    for split, count in validation.card.splits.items():
        print(f"{root}: {split}: {count.images:,} images, {count.boxes:,} boxes")


if __name__ == "__main__":
    run(main)
