"""Confirm a chosen experiment: train both arms on fresh seeds, and read the test split once.

Whoever picks the best of many experiments by their results on test picks luck, too. So choose on val
(dvc exp run -S evaluate.split=val, or by val_map50_95), and confirm the chosen one here.

Both arms are trained by the experiment's recipe. Where a study has chosen one for each arm (study.recipes), run that
study once more on fresh seeds (study.seeds) in place of this command: it chooses and judges anew.

The seeds are ones that neither MLflow's store nor any DVC experiment knows. An experiment is confirmed only once. The
new one is called confirm-EXPERIMENT and runs in a temporary folder; params.yaml and your results stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mobileyolo.commands.option_types import whole
from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError

if TYPE_CHECKING:
    from mobileyolo.experiments import Experiment

SUMMARY = "train a chosen experiment again on fresh seeds, and measure it once on test"
EXTRA = "pipeline"
EXAMPLES = """examples:
  mobileyolo confirm wider
  mobileyolo confirm --seeds 5
"""

PREFIX = "confirm-"
# What makes two experiments the same one; seeds, split and limits of the verdict do not.
SAME = ("backbone", "baseline", "init", "train")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which one, and how often it is trained."""
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", nargs="?", help="name of a DVC experiment (default: the workspace)"
    )
    parser.add_argument("--seeds", type=whole(1, 50), default=3, help="number of fresh seeds (default: 3)")


def run(experiment: str | None, seeds: int) -> None:
    """Train, measure, and print the comparison."""
    import yaml

    from mobileyolo.commands.last_run import last_dataset
    from mobileyolo.core.config import load_params
    from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE
    from mobileyolo.core.records import DatasetCard
    from mobileyolo.experiments import all_experiments, run_beside
    from mobileyolo.leaderboard.runs import measured_candidates
    from mobileyolo.reporting.comparison.next_steps import more_seeds
    from mobileyolo.reporting.comparison.summary import console_report
    from mobileyolo.tracking import read_models
    from mobileyolo.verdict.records import Comparison

    workspace, experiments = load_params().values, all_experiments()
    if experiment is None:
        params, card = workspace, last_dataset()
    else:
        chosen = _named(experiment, experiments)
        params, card = chosen.params, DatasetCard.model_validate(yaml.safe_load(chosen.read(DATASET_FILE)))
    card.held_out("test")  # an error if there is none
    for each in experiments:
        if each.name.startswith(PREFIX) and setup_digest(each.params) == setup_digest(params):
            outcome = Comparison.model_validate_json(each.read(COMPARISON_FILE))
            if outcome.data_digest == card.digest:
                raise UserError(
                    f"{experiment or 'the workspace'} was confirmed on {each.date}, as {each.name}: {outcome.verdict}; "
                    "whoever confirms twice can choose the better result"
                )
    name = f"{PREFIX}{experiment or setup_digest(params)[:8]}"
    models = read_models(card.digest)
    used = used_seeds([workspace, params, *(each.params for each in experiments)])
    # What an interrupted run of this command has trained is used again.
    used |= {model.seed for model in models if model.tags.get("dvc.exp") != name}
    fresh = more_seeds(sorted(used), len(used) + seeds)[len(used) :]
    before = len(measured_candidates(models, "test"))
    say(f"{name}: both arms with the seeds {', '.join(map(str, fresh))}")
    say(f"Candidates that were measured on these test images before: {before}")
    split = "test" if params["evaluate"]["split"] == "test" else "auto"
    own = {"seeds": fresh, "evaluate": {**params["evaluate"], "split": split}}
    # No stage reads the grid of a study, so the workspace's stays.
    run_beside(name, {**params, **own, "study": workspace["study"]}, workspace)
    comparison = Comparison.model_validate_json(_named(name, all_experiments()).read(COMPARISON_FILE))
    say(console_report(comparison))
    say(f"\nCandidates that were measured on these test images before: {before}")
    say(f"To see its report: dvc exp apply {name}")


def used_seeds(params: Sequence[Mapping[str, Any]]) -> set[int]:
    """The seeds of all of these parameters."""
    return {seed for values in params for seed in values["seeds"]}


def setup_digest(params: Mapping[str, Any]) -> str:
    """SHA-256 of what makes an experiment: equal for two that differ in seeds, split or limits only."""
    from mobileyolo.core.files import digest_of

    return digest_of({key: params[key] for key in SAME})


def _named(name: str, experiments: Sequence[Experiment]) -> Experiment:
    for each in experiments:
        if each.name == name:
            return each
    raise UserError(f"{name!r}: no such experiment; choose one of {', '.join(each.name for each in experiments)}")
