"""The report as one self-contained HTML page."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.cost_sheet import CostSheet
from mobileyolo.core.files import BASELINE
from mobileyolo.core.records import StartRecord, WeightsSource
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison import cost_tables, figures, tables
from mobileyolo.reporting.comparison.plots import Histories
from mobileyolo.reporting.shared.pages import render_template
from mobileyolo.reporting.shared.panels import Panel, to_svg
from mobileyolo.verdict.records import Comparison

TEMPLATE = "comparison/page.html.j2"
MOST_OPEN_CLASSES = 20  # a longer per-class table starts folded


def render(
    comparison: Comparison,
    baseline: Sequence[ArmResult],
    candidate: Sequence[ArmResult],
    histories: Histories,
    starts: Mapping[Arm, StartRecord],
    sheet: CostSheet,
) -> str:
    """The page, with its style and figures in it; it loads nothing from the network.

    Args:
        comparison: the answer.
        baseline: the results that it was made from, one for each seed.
        candidate: the same for the candidate.
        histories: by arm, one table for each seed, with the columns of history.csv.
        starts: by arm.
        sheet: what every backbone costs.
    """
    names = tables.arm_names(comparison)
    classes = tables.class_table(comparison, baseline, candidate)
    costs = [figures.accuracy_cost(comparison, baseline, candidate, cost) for cost in figures.COST_AXES]
    curves = [figures.training(histories, name) for name in figures.CURVE_NAMES]
    confusions = [
        figures.confusion("baseline", names[0], baseline),
        figures.confusion("candidate", names[1], candidate),
    ]
    arms = cost_tables.arms_by_label(sheet, comparison)
    return render_template(
        TEMPLATE,
        comparison=comparison,
        names=dict(zip(ARMS, names, strict=True)),
        question=tables.question(comparison),
        headline=tables.headline(comparison),
        cost_sentence=tables.cost_sentence(comparison),
        metrics=tables.metric_table(comparison),
        costs=tables.cost_table(comparison),
        start=tables.start_table(comparison),
        random_tensors={arm: record.random for arm, record in starts.items() if record.sources},
        classes=classes,
        classes_open=len(classes.rows) <= MOST_OPEN_CLASSES,
        forest=_svg(figures.forest(comparison)),
        cost_views=[_svg(panel) for panel in costs],
        sheet=sheet,
        sheet_arms=arms,
        sheet_sentence=cost_tables.matching_sentence(sheet),
        sheet_views=[_svg(figures.cost_parts(sheet, arms, quantity)) for quantity in figures.SHEET_AXES],
        sheet_resolutions=cost_tables.resolution_table(sheet),
        sheet_parts=cost_tables.parts_table(sheet),
        sheet_savings=cost_tables.saving_table(sheet),
        curves=[_svg(panel) for panel in curves],
        precision_recall=_svg(figures.precision_recall(baseline, candidate)),
        confusions=[_svg(panel) for panel in confusions],
        recipe=baseline[0].training.recipe,
        command=_command(comparison, baseline[0].training.recipe, starts["baseline"].offered),
        origins=dict(_origins(comparison)),
        more_seeds=_seeds([*comparison.seeds, *_unused(comparison.seeds)]),
    )


def _svg(panel: Panel) -> Markup:
    """Our own SVG; matplotlib escapes the texts in it."""
    return Markup(to_svg(panel))


def _origins(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Names and digests of the pretrained weights and of the teachers."""
    for arm in (comparison.baseline, comparison.candidate):
        named = [(source.name, source.digest) for source in arm.start.sources.values()]
        named += [(teacher.name, teacher.digest) for teacher in arm.teachers]
        yield from ((name, digest) for name, digest in named if digest)


def _command(comparison: Comparison, recipe: Mapping[str, object], offered: Mapping[str, WeightsSource]) -> str:
    """The shell command that makes this comparison again, on the dataset that it was made on."""
    teacher = comparison.candidate.teachers[0]
    values: dict[str, object] = {
        "data.dir": "<dataset>",
        "backbone": comparison.candidate.backbone,
        "baseline": comparison.baseline.backbone,
        **{f"init.{role}": source.name for role, source in offered.items()},
        **{f"train.{key}": _yaml(value) for key, value in recipe.items()},
        **({"train.teacher": teacher.name if teacher.both_arms else BASELINE} if teacher.digest else {}),
        **({"train.dis": teacher.dis} if teacher.digest else {}),
        "compare.seed_sd": comparison.seed_sd,
        "compare.margin": comparison.margin,
    }
    options = [f"-S {shlex.quote(f'{key}={value}')}" for key, value in values.items()]
    lines = [" ".join(group) for group in _in_fours([*options, _seeds(comparison.seeds)])]
    return " \\\n    ".join([f"dvc exp run {lines[0]}", *lines[1:]])


def _in_fours(options: Sequence[str]) -> list[Sequence[str]]:
    return [options[start : start + 4] for start in range(0, len(options), 4)]


def _yaml(value: object) -> object:
    """Booleans as YAML spells them."""
    return str(value).lower() if isinstance(value, bool) else value


def _seeds(seeds: Sequence[int]) -> str:
    """The option that sets the seeds, quoted for a shell."""
    listed = ",".join(map(str, seeds))
    return f"-S {shlex.quote(f'seeds=[{listed}]')}"


def _unused(seeds: Sequence[int]) -> list[int]:
    """The two smallest seeds that were not used yet."""
    return list(itertools.islice((seed for seed in itertools.count() if seed not in seeds), 2))
