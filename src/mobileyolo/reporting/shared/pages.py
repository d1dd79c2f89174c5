"""HTML pages from the templates of the reports."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mobileyolo.core.text import printable
from mobileyolo.reporting.shared.languages import ENGLISH, Language

LONGEST_TEXT = 300  # of paths and values


def render_template(name: str, /, language: Language = ENGLISH, **values: object) -> str:
    """A page. Values are escaped, except `Markup`; a missing value is an error."""
    return _environment(language).get_template(name).render(language=language, **values)


@cache
def _environment(language: Language) -> Environment:
    """What compiles the templates, each of them once."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True  # a message's line breaks are the template's, not its own

    def plural(one: str, many: str, count: int) -> str:
        return language(one if count == 1 else many)

    environment.install_gettext_callables(language, plural, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["shown"] = shown
    return environment


def shown(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text of a dataset for a page: control and bidirectional characters escaped, and cut if it is long."""
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return printable(text)
