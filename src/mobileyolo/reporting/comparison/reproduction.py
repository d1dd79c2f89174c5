"""The shell command that makes a comparison again."""

from __future__ import annotations

from collections.abc import Mapping

from mobileyolo.core.files import BASELINE, NONE
from mobileyolo.core.quoting import option
from mobileyolo.reporting.comparison.inputs import ReportInputs


def command(inputs: ReportInputs) -> str:
    """The command, in one line: bash and PowerShell continue one differently."""
    comparison = inputs.comparison
    teacher = comparison.candidate.teachers[0]
    values: Mapping[str, object] = {
        "data.dir": inputs.data_dir,
        "backbone": comparison.candidate.backbone,
        "baseline": comparison.baseline.backbone,
        **{f"init.{role}": name for role, name in inputs.init.items() if name != NONE},
        **{f"train.{key}": value for key, value in inputs.results["baseline"][0].training.recipe.items()},
        **({"train.teacher": teacher.name if teacher.both_arms else BASELINE} if teacher.digest else {}),
        **({"train.dis": teacher.dis} if teacher.digest else {}),
        "compare.margin": comparison.margin,
        "compare.confidence": comparison.confidence,
        "seeds": comparison.seeds,
    }
    return " ".join(["dvc exp run", *(option(key, value) for key, value in values.items())])
