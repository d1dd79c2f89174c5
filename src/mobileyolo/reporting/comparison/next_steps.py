"""What to do next: commands that the comparison's own numbers call for, and the last words of a run."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Sequence

from mobileyolo.core import environment
from mobileyolo.core.files import METRICS_FILE, REPORT_FILE
from mobileyolo.core.quoting import option
from mobileyolo.reporting.shared.languages import ENGLISH, Translate
from mobileyolo.verdict.records import Comparison

MATCHED_COST = "mnv1_s"  # the MobileNetV1 that costs what yolo11n does (docs: what each backbone costs)
LEAST_SEEDS = 3  # from which the luck of training is measured well enough to speak of


def next_steps(comparison: Comparison, runs: str = "mlflow ui") -> str:
    """Lines for a terminal; without git, which DVC's experiments need, those that do without.

    Args:
        comparison: the outcome.
        runs: how to come to MLflow's runs.
    """
    names = f"{comparison.candidate.backbone} against {comparison.baseline.backbone}"
    keep = [f"Keep it: git add params.yaml dvc.lock {METRICS_FILE.as_posix()}", f'         git commit -m "{names}"']
    lines = [
        "",
        f"Report:  {REPORT_FILE.absolute()}",
        f"Runs:    {runs}",
        *(keep if environment.in_git() else []),
        *(f"{'Try:' if number == 0 else '':8} {line}" for number, line in enumerate(_aligned(comparison))),
    ]
    return "\n".join(lines)


def commands(comparison: Comparison, _: Translate) -> Iterator[tuple[str, str]]:
    """Commands that bring the answer nearer, each with its reason, the most useful first."""
    if any(arm.maturity != "learnt" for arm in (comparison.baseline, comparison.candidate)):
        epochs = 2 * comparison.epochs
        yield f"dvc exp run -S train.epochs={epochs}", _("train longer: a model is untrained or still rising")
    wanted = comparison.settling.seeds
    if not comparison.settling.settled and wanted and wanted > len(comparison.seeds):
        yield _with_seeds(comparison, wanted), _("the seeds that would settle it; only the missing ones are trained")
    elif comparison.provisional:
        yield _with_seeds(comparison, LEAST_SEEDS), _("measure the luck of training instead of assuming it")
    if comparison.candidate.backbone != MATCHED_COST and comparison.baseline.backbone == "yolo11n":
        yield f"dvc exp run -S backbone={MATCHED_COST}", _("the MobileNetV1 that costs what yolo11n does")


def _with_seeds(comparison: Comparison, count: int) -> str:
    return f"dvc exp run {option('seeds', more_seeds(comparison.seeds, count))}"


def more_seeds(seeds: Sequence[int], count: int) -> list[int]:
    """These seeds, and the smallest unused ones, until there are `count`.

    >>> more_seeds((1, 7), 4)
    [1, 7, 0, 2]
    """
    unused = (seed for seed in itertools.count() if seed not in seeds)
    return [*seeds, *itertools.islice(unused, max(0, count - len(seeds)))]


def _aligned(comparison: Comparison) -> list[str]:
    ideas = [*commands(comparison, ENGLISH), ("dvc exp run -S data.dir=FOLDER", "your own data")]
    if not environment.in_git():
        ideas = [(_by_hand(command), reason) for command, reason in ideas]
    width = max(len(command) for command, _ in ideas)
    return [f"{command:{width}}    {reason}" for command, reason in ideas]


def _by_hand(command: str) -> str:
    """What does the same as an experiment with one value.

    >>> _by_hand('dvc exp run -S "seeds=[0,1,2]"')
    'seeds: [0,1,2] in params.yaml, then dvc repro'
    """
    key, _, value = shlex.split(command)[-1].partition("=")
    return f"{key}: {value} in params.yaml, then dvc repro"
