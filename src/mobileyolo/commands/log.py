"""Log the last comparison and its models to MLflow, as far as the store lacks them, and say who is the champion.

The stages of `dvc repro` log while they run. This is for what they could not log: the tracking server was out of reach,
or DVC restored a result from its cache and nothing ran. What the store has already is not logged twice. If it lacks
something afterwards, the exit code is 1.
"""

from __future__ import annotations

import argparse

from mobileyolo.core.backbones import ARMS, TEACHER
from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError

SUMMARY = "log to MLflow what its store lacks of the last comparison"
EXTRA = "pipeline"
EXAMPLES = """examples:
  mobileyolo log
  MLFLOW_TRACKING_URI=http://localhost:5000 mobileyolo log
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run() -> None:
    """Log it."""
    from mobileyolo.commands.last_run import last_comparison, last_dataset
    from mobileyolo.core.config import Seeds, load_params
    from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE, VALIDATION
    from mobileyolo.core.records import ValidationVerdict
    from mobileyolo.core.results import ArmResult
    from mobileyolo.tracking import log_results

    params, comparison, card = load_params(), last_comparison(), last_dataset()
    if card.digest != comparison.data_digest:
        raise UserError(f"{COMPARISON_FILE} is of another dataset than {DATASET_FILE}; run dvc repro first")
    verdict = ValidationVerdict.read(VALIDATION.verdict)
    arms = {arm: [ArmResult.read(arm, seed) for seed in params.get("seeds", Seeds)] for arm in ARMS}
    teacher = ArmResult.read(TEACHER, comparison.teacher.seed) if comparison.teacher else None
    logged = log_results(params.data_dir, card, verdict, arms, comparison, teacher)
    if not logged.complete:
        raise UserError("MLflow's store still lacks some or all of the last comparison; the warning above says why")
    say(f"Logged. All models of this dataset: {logged.way}")
