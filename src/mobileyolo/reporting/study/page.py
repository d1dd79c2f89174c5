"""A study's page, in any of the languages, and its Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from mobileyolo.family.family import Family
from mobileyolo.reporting.comparison.words import latency_circumstances
from mobileyolo.reporting.shared.cells import markdown
from mobileyolo.reporting.shared.languages import ENGLISH, Language, chinese
from mobileyolo.reporting.shared.pages import render_template
from mobileyolo.reporting.shared.panels import to_svg
from mobileyolo.reporting.study import figures, tables, words

PAGE = Path("index.html")
MOST_OPEN_PAIRS = 10  # a longer table starts folded


def render(family: Family, _: Language) -> str:
    """The page, with its style and figures in it; it loads nothing from the network."""
    recommended = family.recommendation.model
    return render_template(
        "study/page.html.j2",
        language=_,
        other=chinese() if _ is ENGLISH else ENGLISH,
        page_file=PAGE,
        family=family,
        comparison=family.comparison,
        headline=words.headline(family, _),
        reason=words.reason(family, _),
        chosen=words.chosen(family, _),
        recommended=recommended,
        confirmation=words.confirmation(family, _),
        models=tables.model_table(family, _),
        intervals=words.intervals(family, _),
        rare_classes=words.rare_classes(family, _),
        ratios=tables.ratio_table(family, _),
        latency_circumstances=latency_circumstances(family.comparison, _),
        fronts=[Markup(to_svg(panel)) for panel in figures.fronts(family, _)],
        curves=[Markup(to_svg(panel)) for panel in figures.curves(family, _)],
        pairs=tables.pair_table(family, _),
        pairs_open=len(family.pairs) <= MOST_OPEN_PAIRS,
        pairs_sentence=words.pairs(family, _),
        recipes=tables.recipe_table(family, _),
        unjudged=tables.unjudged_table(family, _),
        excluded=tables.excluded_table(family, _),
        trials=tables.trial_table(family, _),
    )


def markdown_page(family: Family) -> str:
    """The same in short, without figures, as for a pull request."""
    return "\n\n".join(_parts(family)) + "\n"


def _parts(family: Family) -> Iterator[str]:
    yield f"## {words.headline(family, ENGLISH)}"
    if said := words.reason(family, ENGLISH):
        yield said
    if said := words.chosen(family, ENGLISH):
        yield said
    yield markdown(tables.model_table(family, ENGLISH))
    yield words.intervals(family, ENGLISH)
    if said := words.rare_classes(family, ENGLISH):
        yield said
    yield markdown(tables.ratio_table(family, ENGLISH))
    if family.tuned:
        yield markdown(tables.recipe_table(family, ENGLISH))
    if family.pairs:
        yield markdown(tables.pair_table(family, ENGLISH))
    if said := words.pairs(family, ENGLISH):
        yield said
    if family.unjudged:
        yield "Not judged yet:"
        yield markdown(tables.unjudged_table(family, ENGLISH))
    if family.excluded:
        yield "Left out, because they can't be compared with these:"
        yield markdown(tables.excluded_table(family, ENGLISH))
    yield markdown(tables.trial_table(family, ENGLISH))
