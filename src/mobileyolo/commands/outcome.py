"""What the last `dvc repro` left, for the commands that show it or go on from it."""

from __future__ import annotations

from mobileyolo.core.errors import UserError
from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE
from mobileyolo.core.records import DatasetCard
from mobileyolo.verdict.records import Comparison


def last_comparison() -> Comparison:
    """The comparison.

    Raises:
        UserError: there is none yet.
    """
    if not COMPARISON_FILE.is_file():
        raise UserError(f"{COMPARISON_FILE}: no such file; run dvc repro first")
    return Comparison.read(COMPARISON_FILE)


def last_dataset() -> DatasetCard:
    """What validation found the dataset to be.

    Raises:
        UserError: none was validated yet.
    """
    if not DATASET_FILE.is_file():
        raise UserError(f"{DATASET_FILE}: no such file; run dvc repro first")
    return DatasetCard.read(DATASET_FILE)
