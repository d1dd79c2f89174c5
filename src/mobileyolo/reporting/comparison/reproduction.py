"""The shell command that makes a comparison again."""

from __future__ import annotations

from collections.abc import Mapping

from mobileyolo.core.files import BASELINE, NONE
from mobileyolo.core.quoting import option
from mobileyolo.reporting.comparison.inputs import ReportInputs


def command(inputs: ReportInputs) -> str:
    """The command, in one line: bash and PowerShell continue one differently."""
    comparison = inputs.comparison
    seeds = list(comparison.seeds)
    values: Mapping[str, object] = {
        "data.dir": inputs.data_dir,
        "backbone": comparison.candidate.backbone,
        "baseline": comparison.baseline.backbone,
        **{f"init.{role}": name for role, name in inputs.init.items() if name != NONE},
        **{f"train.{key}": value for key, value in inputs.results["baseline"][0].training.recipe.items()},
        **_teaching(inputs),
        "compare.margin": comparison.margin,
        "compare.confidence": comparison.confidence,
    }
    if comparison.teacher is not None:  # it is trained with the first one
        first = comparison.teacher.seed
        seeds = [first, *(seed for seed in seeds if seed != first)]
    return " ".join(["dvc exp run", *(option(key, value) for key, value in values.items()), option("seeds", seeds)])


def _teaching(inputs: ReportInputs) -> Mapping[str, object]:
    """The parameters of the teacher, but for its file, which the section init has."""
    trained, teacher = inputs.comparison.teacher, inputs.comparison.candidate.teachers[0]
    if not teacher.digest:
        return {}
    taught = {"train.taught": "both" if teacher.both_arms else "candidate", "train.dis": teacher.dis}
    if trained is not None:
        return {"train.teacher": trained.backbone, **taught}
    if inputs.init["teacher"] != NONE:
        return taught
    return {"train.teacher": BASELINE, "train.dis": teacher.dis}
