"""Writes what a study has found: the page in every language, Markdown, and CSV."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.files import write_text
from mobileyolo.family.family import Family
from mobileyolo.reporting.shared.languages import ENGLISH, chinese
from mobileyolo.reporting.study import page, tables

STUDY_DIR = Path("reports/study")
STUDY_PAGE = STUDY_DIR / page.PAGE


def write_study(family: Family, folder: Path = STUDY_DIR) -> None:
    """Write index.html, index.zh-CN.html, study.md and study.csv."""
    for language in (ENGLISH, chinese()):
        write_text(language.file(folder / page.PAGE), page.render(family, language))
    write_text(folder / "study.md", page.markdown_page(family))
    write_text(folder / "study.csv", tables.as_csv(family))
