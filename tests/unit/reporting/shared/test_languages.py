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
from mobileyolo.reporting.comparison.inputs import ReportInputs
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


def test_translations_have_the_placeholders_of_their_messages() -> None:
    found = {text: sorted(PLACEHOLDER.findall(text)) for pair in chinese().messages.items() for text in pair}
    assert not [each for each in chinese().messages.items() if found[each[0]] != found[each[1]]]


def test_no_translation_has_other_quotes_than_the_chinese_ones() -> None:
    assert not [each for each in chinese().messages.values() if re.search("[\"'‘’「」『』《》]", each)]


def test_a_message_without_a_translation_stays_english() -> None:
    assert chinese()("not in the catalogue") == ENGLISH("not in the catalogue") == "not in the catalogue"


@pytest.fixture(scope="module")
def tolerated() -> ValidationVerdict:
    """A dataset with images in two splits."""
    found = FindingCount(suite="faults", severity="error", count=3, rows=9, share=1 / 3, tolerance=1.0)
    return ValidationVerdict(passed=True, findings={"image_in_two_splits": found})


@pytest.fixture(scope="module")
def inputs(tolerated: ValidationVerdict) -> ReportInputs:
    return dataclasses.replace(make_inputs(Path("no-images")), validation=tolerated)


@pytest.fixture(scope="module")
def page(inputs: ReportInputs) -> str:
    return render(inputs, HeldOutImages(inputs).gallery(), chinese())


def test_the_chinese_page_says_so_and_links_to_the_english_one(page: str) -> None:
    assert '<html lang="zh-CN">' in page
    assert f'href="{REPORT_FILE.name}" lang="en">English</a>' in page


def test_headings_terms_and_labels_of_the_chinese_page_are_chinese(page: str) -> None:
    texts = re.findall(r"<(?:title|h1|h2|h3|dt|summary|th scope=\"col\"[^>]*)>(.*?)</", page, re.DOTALL)
    texts += re.findall(r'aria-label="(.*?)"', page)
    assert len(texts) > 50
    # Names, units and abbreviations stay as they are: two English words in a row are a phrase.
    assert not [text for text in texts if not CHINESE.search(text) and re.search(r"[a-z]{2,} [a-z]{2,}", text)]


def test_a_fault_of_the_data_that_was_tolerated_is_told_in_chinese(page: str, tolerated: ValidationVerdict) -> None:
    assert caveats(tolerated, chinese())[0] in page
    assert caveats(tolerated)[0] not in page


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_the_chinese_report_and_its_pages_of_errors_link_to_each_other(
    page: str, inputs: ReportInputs, kind: ErrorKind
) -> None:
    images, language = HeldOutImages(inputs), chinese()
    assert f'href="errors/{language.file(ERRORS_DIR / f"{kind}.html").name}"' in page
    errors = render_errors(inputs, kind, {arm: images.examples(kind, arm) for arm in ARMS}, language)
    assert '<html lang="zh-CN">' in errors
    assert f'href="../{language.file(REPORT_FILE).name}"' in errors
    assert CHINESE.search(re.findall("<h1>(.*?)</h1>", errors)[0])
