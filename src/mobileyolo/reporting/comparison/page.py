"""The report as one self-contained HTML page, in any of the languages."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import REPORT_FILE
from mobileyolo.core.records import DEPLOYED_METRICS
from mobileyolo.reporting.comparison import (
    cost_figures,
    cost_tables,
    curve_figures,
    figures,
    next_steps,
    reproduction,
    tables,
    words,
)
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.comparison.pictures import LETTERS, Example, Gallery
from mobileyolo.reporting.comparison.plots import TRAINING_CURVES
from mobileyolo.reporting.shared.languages import ENGLISH, Language, chinese
from mobileyolo.reporting.shared.pages import render_template
from mobileyolo.reporting.shared.panels import Panel, to_svg
from mobileyolo.verdict import sentences
from mobileyolo.verdict.records import Comparison, ErrorKind

MOST_OPEN_CLASSES = 20  # a longer per-class table starts folded


def render(inputs: ReportInputs, gallery: Gallery, _: Language) -> str:
    """The page, with its style, figures and pictures in it; it loads nothing from the network.

    Args:
        inputs: what it is made from.
        gallery: the pictures on it.
        _: its language.
    """
    comparison, results, sheet = inputs.comparison, inputs.results, inputs.sheet
    names = dict(zip(ARMS, sentences.names(comparison, _), strict=True))
    arms = cost_tables.arms_by_label(sheet, comparison)
    mark, verdict = words.badge(comparison, _)
    return render_template(
        "comparison/page.html.j2",
        language=_,
        other=chinese() if _ is ENGLISH else ENGLISH,
        page_file=REPORT_FILE,
        comparison=comparison,
        names=names,
        mark=mark,
        verdict=verdict,
        question=sentences.question(comparison, _),
        headline=sentences.headline(comparison, _),
        reason=sentences.joined([sentences.reason(comparison, _), *sentences.caveats(inputs.validation, _)], _),
        certainty=sentences.certainty(comparison, _),
        why=words.error_sentence(comparison, _),
        cost=sentences.cost(comparison, _),
        settling=sentences.settling(comparison, _),
        starts_and_teachers=list(sentences.starts_and_teachers(comparison, _)),
        next_commands=list(next_steps.commands(comparison, _)),
        forest=_svg(figures.forest(comparison, _)),
        metrics=tables.metric_table(comparison, _),
        costs=tables.cost_table(comparison, _),
        latency_circumstances=words.latency_circumstances(comparison, _),
        cost_views=[_svg(figures.accuracy_cost(comparison, each, _)) for each in figures.COSTS],
        errors_view=_svg(figures.errors(comparison, _)),
        errors=tables.error_table(comparison, _),
        error_links=[f"errors/{_.file(REPORT_FILE.with_name(f'{each.kind}.html')).name}" for each in comparison.errors],
        gallery=gallery,
        error_names=words.error_names(_),
        letters=LETTERS,
        classes=tables.class_table(comparison, _),
        classes_open=len(comparison.classes) <= MOST_OPEN_CLASSES,
        deployed_classes=tables.deployed_class_table(comparison, results, _),
        sizes=tables.size_table(comparison, _),
        deployed=tables.deployed_table(comparison, _),
        confidences=tables.confidence_table(comparison, _),
        confidence_views=[
            _svg(curve_figures.over_confidence(comparison, results, each, _)) for each in DEPLOYED_METRICS
        ],
        curves=[_svg(curve_figures.training(inputs.histories, each, _)) for each in TRAINING_CURVES],
        precision_recall=_svg(curve_figures.precision_recall(results, _)),
        confusions=[_svg(figures.confusion(arm, names[arm], results[arm], _)) for arm in ARMS],
        start=tables.start_table(comparison, _),
        random_tensors={arm: record.random for arm, record in inputs.starts.items() if record.sources},
        sheet=sheet,
        sheet_arms=arms,
        sheet_sentence=cost_tables.matching_sentence(sheet, _),
        sheet_views=[_svg(cost_figures.cost_parts(sheet, arms, each, _)) for each in cost_figures.QUANTITIES],
        sheet_resolutions=cost_tables.resolution_table(sheet, _),
        sheet_parts=cost_tables.parts_table(sheet, _),
        sheet_savings=cost_tables.saving_table(sheet, _),
        recipe=results["baseline"][0].training.recipe,
        command=reproduction.command(inputs),
        origins=dict(_origins(comparison)),
    )


def render_errors(inputs: ReportInputs, kind: ErrorKind, examples: dict[str, list[Example]], _: Language) -> str:
    """The page of one kind of errors, with the worst examples of both models, by arm."""
    comparison = inputs.comparison
    return render_template(
        "comparison/errors.html.j2",
        language=_,
        report=_.file(REPORT_FILE).name,
        comparison=comparison,
        names=dict(zip(ARMS, sentences.names(comparison, _), strict=True)),
        kind=kind,
        title=words.error_names(_)[kind],
        meaning=words.error_meanings(_)[kind],
        cost=next(each for each in comparison.errors if each.kind == kind),
        examples=examples,
    )


def _svg(panel: Panel) -> Markup:
    """Our own SVG; matplotlib escapes the texts in it."""
    return Markup(to_svg(panel))


def _origins(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Names and digests of the pretrained weights and of the teachers."""
    for arm in (comparison.baseline, comparison.candidate):
        yield from ((source.name, source.digest) for source in arm.start.sources.values())
        yield from ((teacher.name, teacher.digest) for teacher in arm.teachers if teacher.digest)
