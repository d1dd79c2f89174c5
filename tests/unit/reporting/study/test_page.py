from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path

import pytest

from mobileyolo.family.family import Family
from mobileyolo.reporting.shared.languages import ENGLISH, chinese
from mobileyolo.reporting.study import words
from mobileyolo.reporting.study.page import markdown_page, render
from mobileyolo.reporting.study.report import write_study
from mobileyolo.reporting.study.tables import as_csv
from tests.synthetic_family import make_family_members, make_member
from tests.unit.reporting.comparison.test_page import Outline

CHINESE = re.compile(r"[\u4e00-\u9fff]")
HOSTILE = "<script>alert(1)</script>|.pt"


@pytest.fixture(scope="module")
def family() -> Family:
    """All that a page can have: several of everything, candidates among each other, and a trial that is left out."""
    return Family.of([*make_family_members(), make_member("mnv1_n", data_digest="0ther")])


@pytest.fixture(scope="module")
def english(family: Family) -> str:
    return render(family, ENGLISH)


@pytest.fixture(scope="module", params=["en", "zh-CN"])
def page(request: pytest.FixtureRequest, english: str, family: Family) -> str:
    return english if request.param == "en" else render(family, chinese())


def test_the_page_tells_its_story_in_order(english: str, family: Family) -> None:
    assert Outline(english).headings == [
        words.headline(family, ENGLISH).replace("-", "\N{NON-BREAKING HYPHEN}"),
        "All models",
        "Accuracy for its cost",
        "Accuracy over width and resolution",
        "Candidates among each other",
        "Left out",
        "Where it comes from",
    ]


def test_parts_that_there_is_nothing_for_are_not_there() -> None:
    headings = Outline(render(Family.of([make_member("mnv1_n")]), ENGLISH)).headings
    assert headings[1:] == ["All models", "Accuracy for its cost", "Where it comes from"]


def test_every_model_is_a_row_with_its_numbers_and_verdict(english: str, family: Family) -> None:
    rows = re.findall(r"<tr>\n<th scope=\"row\">.*?</tr>", english.partition("</table>")[0], re.DOTALL)
    assert len(rows) == len(family.models) == 16
    for row, model in zip(rows, family.models, strict=True):
        cells = [
            html.unescape(re.sub(r"<.*?>", "", cell)).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
        ]
        assert cells[:2] == [str(model.number), str(model.setup.imgsz)]
        assert cells[3] == f"{model.map50_95:.3f}"
        assert cells[-6:-1] == [f"{model.costs[name].value / scale:.2f}" for name, scale in words.UNITS.items()]
        assert cells[-1] == (model.lead.verdict if model.lead else "")


def test_the_recommendation_stands_first_with_the_command_that_confirms_it(english: str, family: Family) -> None:
    header = html.unescape(english.partition("</header>")[0])
    assert family.recommendation.model is not None
    assert words.headline(family, ENGLISH) in header
    assert words.reason(family, ENGLISH) in header
    assert f"<code>mobileyolo confirm {family.recommendation.model.trial}</code>" in header


def test_without_a_recommendation_there_is_nothing_to_confirm() -> None:
    assert "mobileyolo confirm" not in render(Family.of([make_member("mnv1_n", seeds=1)]), ENGLISH)


def test_the_sentence_on_the_intervals_and_all_trials_are_on_the_page(english: str, family: Family) -> None:
    text = html.unescape(english)
    assert words.intervals(family, ENGLISH) in text
    assert words.pairs(family, ENGLISH) in text
    for group in family.groups:
        assert all(f'<td class="l">{model.trial}</td>' in english for model in group.candidates)
    assert f"<bdi>{family.excluded[0].trial}</bdi>" in english


def test_there_is_a_figure_for_each_cost_and_each_curve(english: str) -> None:
    labels = re.findall(r'role="img" aria-label="(.*?)"', english)
    assert [label.partition(";")[0].partition(":")[0] for label in labels] == [
        "mAP50-95 over latency, ms",
        "mAP50-95 over GFLOPs",
        "mAP50-95 over parameters, millions",
        "mAP50-95 over weights, MB",
        "mAP50-95 over width multiplier α",
        "mAP50-95 over resolution, px",
    ]


def test_a_long_table_of_pairs_starts_folded(english: str) -> None:
    assert "<details>\n<summary>Pairs with the same baseline: 12" in english
    short = render(Family.of(make_family_members()[:3]), ENGLISH)
    assert "<details open>\n<summary>Pairs with the same baseline: 3" in short


def test_no_name_can_put_anything_into_a_page() -> None:
    family = Family.of([make_member(start=HOSTILE, teacher=HOSTILE), make_member(data_digest="<b>", imgsz=64)])
    for language in (ENGLISH, chinese()):
        page = render(family, language)
        Outline(page)
        assert "<script" not in page
        assert "<b>" not in page
        assert html.escape(HOSTILE) in page
    assert r"\<script\>alert(1)\</script\>\|.pt" in markdown_page(family)


def test_the_page_asks_the_network_for_nothing(page: str) -> None:
    assert "http" not in page
    assert "src=" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_ids_are_unique_and_every_id_that_is_used_exists(page: str) -> None:
    ids = Outline(page).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page)) == set(ids)


def test_every_colour_is_one_of_the_styles(page: str) -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", page)) - {"colour", "key"}
    assert used <= set(re.findall(r"--([\w-]+): #", page))


def test_both_pages_link_to_each_other(english: str, family: Family) -> None:
    assert 'href="index.zh-CN.html" lang="zh-CN"' in english
    assert 'href="index.html" lang="en"' in render(family, chinese())


def test_what_the_chinese_page_says_is_chinese(family: Family) -> None:
    page = render(family, chinese())
    assert '<html lang="zh-CN">' in page
    told = re.sub(r"<style>.*?</style>|<code>.*?</code>", "", page, flags=re.DOTALL)
    texts = re.findall(r">([^<]+)<", told) + re.findall(r'aria-label="(.*?)"', told)
    assert len(texts) > 200
    # Names, units and abbreviations stay as they are: two English words in a row are a phrase.
    assert [text for text in texts if not CHINESE.search(text) and re.search(r"[a-z]{2,} [a-z]{2,}", text)] == []
    for said in (words.headline(family, ENGLISH), words.reason(family, ENGLISH), words.intervals(family, ENGLISH)):
        assert said not in html.unescape(page)


def test_the_same_files_are_written_each_time(family: Family, tmp_path: Path) -> None:
    written = []
    for name in ("once", "again"):
        write_study(family, tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["index.html", "index.zh-CN.html", "study.csv", "study.md"]


def test_markdown_says_the_same(family: Family) -> None:
    text = markdown_page(family)
    assert text.startswith(
        f"## {words.headline(family, ENGLISH)}\n\n{words.reason(family, ENGLISH)}\n\n| model | no. |"
    )
    assert words.intervals(family, ENGLISH) in text
    assert text.count("\n| mnv1_s") == 4 + 4 + 4 + 4  # models, ratios, pairs, trials
    assert "| of other data (0ther, not " in text


def test_csv_has_a_line_for_each_model_with_all_digits(family: Family) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(family))))
    assert [(int(line["number"]), line["trial"]) for line in lines] == [(m.number, m.trial) for m in family.models]
    baseline, first = lines[:2]
    assert (baseline["arm"], baseline["width"], baseline["difference"], baseline["verdict"]) == ("baseline", "", "", "")
    lead = family.models[1].lead
    assert lead is not None
    assert (float(first["difference"]), float(first["low"])) == (lead.interval.delta, lead.interval.low)
    assert (first["width"], first["verdict"], first["provisional"]) == ("0.25", "worse", "false")
    assert (first["latency_ms_ratio_low"], first["latency_onnx_ms_busy"]) == ("0.79", "false")
    assert (first["seeds"], first["confidence"]) == ("0 1 2", "0.995833")
