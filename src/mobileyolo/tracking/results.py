"""What is logged of a trained model: its evaluation, comparison, dataset and exports.

Each function finds the model's run by its weights, and creates it if the store has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mobileyolo.core.backbones import Arm
from mobileyolo.core.files import digest_of
from mobileyolo.core.records import SEVERITIES, TrainingRecord, ValidationVerdict
from mobileyolo.core.results import ArmResult, Statistics
from mobileyolo.leaderboard.runs import TrackedModel, measured_tag
from mobileyolo.tracking.dataset_runs import Runs, params_of, tags_of
from mobileyolo.tracking.descriptions import of_comparison, report_folder
from mobileyolo.tracking.run_writer import RunWriter
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison


def log_evaluation(runs: Runs, result: ArmResult, history: pd.DataFrame, weights: Path) -> RunWriter:
    """Log held-out metrics and the loadable model, unless the run has them already."""
    run = runs.find_or_create_run(result.training, history)
    measured = evaluation_tags(result.statistics)
    tags = run.tags()
    is_new = tags.get("stage") == "trained"  # also if an earlier attempt was cut short
    lacks_model = is_new or not run.has_model()  # somebody may have deleted its files
    if lacks_model or measured.items() - tags.items():
        if lacks_model:
            run.keep_model(weights)
        run.log_model_metrics(result.metrics.numbers())
        run.set_tags({**measured, "stage": "evaluated"})
    return run


def evaluation_tags(statistics: Statistics) -> dict[str, str]:
    """How a model was measured, and on what.

    A later evaluation on another split replaces `evaluate.split`; what `measured_tag` names stays.
    """
    settings = {f"evaluate.{key}": value for key, value in statistics.measured.items()}
    return settings | {"evaluate.split": statistics.split, measured_tag(statistics.split): "true"}


def log_comparison(
    runs: Runs, result: ArmResult, history: pd.DataFrame, weights: Path, comparison: Comparison, report: Iterable[Path]
) -> None:
    """Log the outcome of a model's comparison, and its evaluation if the run lacks it."""
    run = log_evaluation(runs, result, history, weights)
    run.log_model_metrics(_comparison_metrics(result.training.arm, comparison))
    run.keep_files(report, report_folder(comparison))
    tags = _comparison_tags(result.training.arm, comparison)
    run.set_tags(tags | {"mlflow.note.content": of_comparison(comparison, run.page())})


def log_validation(
    runs: Runs, training: TrainingRecord, history: pd.DataFrame, verdict: ValidationVerdict, report: Iterable[Path]
) -> None:
    """Log what validation found in the dataset that a model was trained on."""
    run = runs.find_or_create_run(training, history)
    severities = [finding.severity for finding in verdict.findings.values()]
    run.log_changed_metrics({f"validation.{severity}s": severities.count(severity) for severity in SEVERITIES})
    run.keep_files(report, "validation")
    run.set_tags({"validation.passed": str(verdict.passed).lower()})


def log_export(
    runs: Runs, training: TrainingRecord, history: pd.DataFrame, values: Mapping[str, float], record: Path
) -> None:
    """Log how far a model's exported files are from it."""
    run = runs.find_or_create_run(training, history)
    run.log_changed_metrics(values)
    run.keep_files([record], "export")


def register(runs: Runs, arms: Mapping[Arm, Sequence[ArmResult]], comparison: Comparison) -> str:
    """Register the models of a comparison, and let the aliases point to the best of them.

    Args:
        runs: that all of the models were logged to.
        arms: the models, one for each seed.
        comparison: the outcome.

    Returns:
        Who is the champion now, and why, in a sentence.
    """
    best: dict[Arm, str] = {}
    setups: dict[Arm, str] = {}
    for arm, models in arms.items():
        versions = {
            result.training.seed: runs.registered.keep(
                runs.find_run(result.training).model(), _version_tags(result, comparison)
            )
            for result in models
        }
        chosen = max(models, key=lambda result: result.metrics.val_map50_95)  # the first of equally good ones
        best[arm], setups[arm] = versions[chosen.training.seed], _setup_digest(chosen)
        runs.registered.point(arm, best[arm])
    return runs.registered.crown(comparison, setups, best)


def _version_tags(result: ArmResult, comparison: Comparison) -> dict[str, str]:
    """What a version of the registered model is; for a candidate with what came out of its comparison."""
    training = result.training
    tags = {
        "arm": training.arm,
        "backbone": training.backbone,
        "seed": str(training.seed),
        "data.digest": training.data_digest,
        "recipe.digest": training.recipe_digest,
        "weights.digest": training.weights_digest,
        "setup.digest": _setup_digest(result),
    }
    outcome = _comparison_tags(training.arm, comparison)
    del outcome["stage"]
    return tags | outcome


def _setup_digest(result: ArmResult) -> str:
    """Equal for two models that differ in arm, seed and luck only."""
    model = TrackedModel.of(params_of(result.training), tags_of(result.training, None), {})
    return digest_of(model.setup)


def _comparison_metrics(arm: str, comparison: Comparison) -> dict[str, float]:
    """The difference that decides and the ratios of the latencies, with their intervals: the candidate's only."""
    if arm == "baseline":
        return {}
    metric = comparison.metrics[DECIDING_METRIC]
    values = _with_ends(f"delta/{DECIDING_METRIC}", metric.delta, metric.low, metric.high)
    for name, cost in comparison.costs.items():
        if name.startswith("latency"):
            values |= _with_ends(f"{name.removesuffix('_ms')}_ratio", cost.ratio, cost.low, cost.high)
    return {name: value for name, value in values.items() if value is not None}


def _with_ends(name: str, value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _comparison_tags(arm: str, comparison: Comparison) -> dict[str, str]:
    """For the candidate also the verdict."""
    if arm == "baseline":
        return {"stage": "compared"}
    return {
        "stage": "compared",
        "verdict": comparison.verdict,
        "provisional": str(comparison.provisional).lower(),
        "compared.with": comparison.baseline.backbone,
    }
