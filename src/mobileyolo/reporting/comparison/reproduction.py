"""The shell command that makes a comparison again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from mobileyolo.core.files import BASELINE, NONE
from mobileyolo.reporting.comparison.inputs import ReportInputs

PLAIN = re.compile(r"[\w./:+-]*", re.ASCII)  # a value that Hydra's grammar takes as it is


def command(inputs: ReportInputs) -> str:
    """The command, quoted so that it can be pasted into bash."""
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
    options = [option(key, value) for key, value in values.items()]
    lines = [" ".join(group) for group in _in_fours([*options, seeds_option(seeds)])]
    return " \\\n    ".join([f"dvc exp run {lines[0]}", *lines[1:]])


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


def option(key: str, value: object) -> str:
    """One option of `dvc exp run`, quoted for Hydra's grammar and then for bash.

    >>> option("train.cos_lr", False)
    '-S train.cos_lr=false'
    >>> print(option("data.dir", "/data/my helmets"))
    -S "data.dir='/data/my helmets'"
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not PLAIN.fullmatch(text):
        # A backslash is doubled only before a quote.
        text = "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), text) + "'"
    return f"-S {_quoted(f'{key}={text}')}"


def _quoted(text: str) -> str:
    """Quoted for bash; in double quotes where that needs no escapes, which are easier to read and Windows takes too."""
    if re.search(r'["$`\\!]', text):
        return shlex.quote(text)
    return text if shlex.quote(text) == text else f'"{text}"'


def seeds_option(seeds: Sequence[int]) -> str:
    """The option that sets the seeds."""
    return f'-S "seeds=[{",".join(map(str, seeds))}]"'


def _in_fours(options: Sequence[str]) -> list[Sequence[str]]:
    return [options[start : start + 4] for start in range(0, len(options), 4)]
