from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import ERRORS_DIR, REPORT_FILE
from mobileyolo.core.records import FindingCount, ValidationVerdict
from mobileyolo.reporting.comparison.page import render, render_errors
from mobileyolo.reporting.comparison.pictures import HeldOutImages
from mobileyolo.reporting.shared.languages import CATALOGUE, ENGLISH, chinese
from mobileyolo.verdict.records import ERROR_KINDS, ErrorKind
from mobileyolo.verdict.sentences import caveats
from tests.synthetic_comparison import make_inputs

PACKAGE = Path(__file__).parents[4] / "src" / "mobileyolo"
METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
OPTIONS = {"**.j2": {"trimmed": "true", "silent": "false"}}  # trimmed: as `render_template` sets it
PLACEHOLDER = re.compile(r"{\w*}|%\(\w+\)s|%")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def messages() -> set[str]:
    """Every message in the code and in the templates of the reports."""
    return {
        str(message)
        for folder in ("verdict", "reporting")
        for _, _, message, _, _ in extract_from_dir(PACKAGE / folder, METHODS, OPTIONS)
    }


def assert_chinese(page: str, least: int) -> None:
    """Headings, terms, summaries, table headers and labels for screen readers have Chinese, or no English word."""
    texts = re.findall(r"<(?:title|h1|h2|h3|dt|summary|th scope=\"col\"[^>]*)>(.*?)</", page, re.DOTALL)
    texts += re.findall(r'aria-label="(.*?)"', page)
    assert len(texts) > least
    # Names, units and abbreviations stay as they are: two English words in a row are a phrase.
    assert not [text for text in texts if not CHINESE.search(text) and re.search(r"[a-z]{2,} [a-z]{2,}", text)]


def test_the_catalogue_translates_every_message_and_nothing_else() -> None:
    assert set(chinese().messages) == messages()


def test_no_message_stands_within_an_f_string_where_babel_does_not_see_it() -> None:
    calls = [
        (file.name, call.lineno)
        for folder in ("verdict", "reporting")
        for file in (PACKAGE / folder).rglob("*.py")
        for string in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(string, ast.JoinedStr)
        for call in ast.walk(string)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "_"
    ]
    assert not calls


def test_no_translation_is_a_guess_or_left_over() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", abort_invalid=True)
    entries = [each for each in catalogue if each.id]  # without the header
    assert all(each.string and not each.fuzzy for each in entries)
    assert not catalogue.obsolete


@pytest.mark.parametrize("message", sorted(messages()))
def test_a_translation_has_the_placeholders_of_its_message(message: str) -> None:
    translation = chinese()(message)
    assert sorted(PLACEHOLDER.findall(translation)) == sorted(PLACEHOLDER.findall(message))


def test_no_translation_has_other_quotes_than_the_chinese_ones() -> None:
    assert not [each for each in chinese().messages.values() if re.search("[\"'‘’「」『』《》]", each)]


def test_a_message_without_a_translation_stays_english() -> None:
    assert chinese()("not in the catalogue") == ENGLISH("not in the catalogue") == "not in the catalogue"


def test_the_chinese_page_says_so_and_all_its_headings_are_chinese(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path)
    page = render(inputs, HeldOutImages(inputs).gallery(), chinese())
    assert '<html lang="zh-CN">' in page
    assert f'href="{REPORT_FILE.name}" lang="en">English</a>' in page
    assert_chinese(page, least=15)


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_the_chinese_page_of_a_kind_of_errors_links_to_the_chinese_report(tmp_path: Path, kind: ErrorKind) -> None:
    inputs = make_inputs(tmp_path)
    images = HeldOutImages(inputs)
    file = chinese().file(ERRORS_DIR / f"{kind}.html")
    assert f'href="errors/{file.name}"' in render(inputs, images.gallery(), chinese())
    page = render_errors(inputs, kind, {arm: images.examples(kind, arm) for arm in ARMS}, chinese())
    assert '<html lang="zh-CN">' in page
    assert 'href="../index.zh-CN.html"' in page
    assert CHINESE.search(re.findall(r"<h1>(.*?)</h1>", page)[0])


def test_a_fault_of_the_data_that_was_tolerated_is_told_in_the_pages_language(tmp_path: Path) -> None:
    found = FindingCount(suite="faults", severity="error", count=3, rows=9, share=1 / 3, tolerance=1.0)
    verdict = ValidationVerdict(passed=True, findings={"image_in_two_splits": found})
    inputs = dataclasses.replace(make_inputs(tmp_path), validation=verdict)
    page = render(inputs, HeldOutImages(inputs).gallery(), chinese())
    assert caveats(verdict, chinese())[0] in page
    assert caveats(verdict)[0] not in page
