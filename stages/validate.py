"""Gate the dataset: what fails here reaches no training."""

from __future__ import annotations

import shutil
from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.config import Params
from mobileyolo.core.console import say
from mobileyolo.core.errors import DatasetError
from mobileyolo.core.files import DATASET_FILE, MANIFEST_DIR, SCENES_FILE, VALIDATION
from mobileyolo.dataset.findings import format_findings
from mobileyolo.dataset.parameters import Grouping, ValidationRules
from mobileyolo.dataset.validation import validate
from mobileyolo.reporting.dataset.report import write_report
from stages import run


def main(params: Params) -> None:
    """Write reports/validation/ and, if the dataset passes, the dataset's card, manifest and scenes."""
    # What an earlier dataset left must not outlive a failure.
    for file in (DATASET_FILE, SCENES_FILE):
        file.unlink(missing_ok=True)
    for folder in (MANIFEST_DIR, VALIDATION.folder):
        shutil.rmtree(folder, ignore_errors=True)

    root = Path(params.data_dir)
    rules, group = params.section(ValidationRules), params.section(Grouping).group
    held_out = params.get("evaluate.split", str)
    validation = validate(root, rules, environment.cache_dir(), VALIDATION.docs, group, held_out)
    write_report(VALIDATION, root, validation)
    findings = format_findings(validation.findings)
    if not validation.passed:
        raise DatasetError(
            f"{root} did not pass validation; paths are below it, all of it in {VALIDATION.page}\n{findings}"
        )
    validation.card.held_out(held_out)  # raises now rather than after the training
    validation.card.write(DATASET_FILE)
    validation.manifest.write(MANIFEST_DIR)
    validation.scenes.write(SCENES_FILE)
    if findings:
        say(findings)
    for split, count in validation.card.splits.items():
        say(f"{root}: {split}: {count.images:,} images, {count.boxes:,} boxes")


if __name__ == "__main__":
    run(main)
