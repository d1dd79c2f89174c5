from __future__ import annotations

import dataclasses
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import ERRORS_DIR, FIGURES_DIR, PLOTS_DIR, REPORT_FILE, SUMMARY_FILE
from mobileyolo.reporting.comparison import next_steps, reproduction, words
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.comparison.page import render, render_errors
from mobileyolo.reporting.comparison.pictures import Gallery, HeldOutImages
from mobileyolo.reporting.comparison.report import write_reports
from mobileyolo.reporting.shared.languages import ENGLISH, chinese
from mobileyolo.verdict import sentences
from mobileyolo.verdict.records import ERROR_KINDS, VERDICTS
from tests.synthetic_boxes import SIZE
from tests.synthetic_comparison import make_comparison, make_inputs

VOID = {"meta", "br"}
NO_PICTURES = Gallery((), (), ())
HOSTILE = "<script>alert(1)</script>"


class Outline(HTMLParser):
    """Headings and ids of a page; raises where a tag closes another one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"h1", "h2"}:
            self.headings.append(data)


def with_image_names(inputs: ReportInputs, pattern: str) -> ReportInputs:
    """Images whose names are pattern with their number in it."""
    results = {}
    for arm in ARMS:
        (result,) = inputs.results[arm]
        images = result.statistics.images
        named = images.assign(image=[pattern.format(row) for row in range(len(images))])
        results[arm] = [dataclasses.replace(result, statistics=dataclasses.replace(result.statistics, images=named))]
    return dataclasses.replace(inputs, results=results)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    """Class and file names with markup; the files of images with odd numbers are gone."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(0, 30, 2):
        Image.new("RGB", (SIZE, SIZE)).save(folder / f"<b>{number}&.jpg")
    return with_image_names(make_inputs(folder, classes=("red", HOSTILE, "血小板")), "<b>{}&.jpg")


@pytest.fixture(scope="module")
def gallery(inputs: ReportInputs) -> Gallery:
    return HeldOutImages(inputs).gallery()


@pytest.fixture(scope="module")
def english(inputs: ReportInputs, gallery: Gallery) -> str:
    return render(inputs, gallery, ENGLISH)


@pytest.fixture(scope="module", params=["en", "zh-CN"])
def page(request: pytest.FixtureRequest, english: str, inputs: ReportInputs, gallery: Gallery) -> str:
    return english if request.param == "en" else render(inputs, gallery, chinese())


def test_the_page_tells_its_story_in_order(english: str, inputs: ReportInputs) -> None:
    assert Outline(english).headings == [
        sentences.headline(inputs.comparison).replace("-", "\N{NON-BREAKING HYPHEN}"),
        "Difference in accuracy",
        "Cost",
        "Errors",
        "Pictures",
        "By class",
        "By COCO’s rules, and by size",
        "At the confidence to deploy with",
        "Training",
        "Confusion matrix",
        "What each backbone costs",
        "How to read this",
        "How to reproduce it",
    ]


def test_the_answer_stands_first_with_its_certainty_reason_cost_and_what_to_do_next(
    english: str, inputs: ReportInputs
) -> None:
    header, _, rest = html.unescape(english).partition("</header>")
    comparison = inputs.comparison
    assert '<span class="badge worse">worse</span>' in header
    assert '<span class="badge grey">provisional</span>' in header
    assert "test images ± 0.050, luck of training ± 0.040; the choice of test images matters more" in header
    for said in (
        sentences.certainty(comparison),
        words.error_sentence(comparison, ENGLISH),
        sentences.cost(comparison),
        sentences.settling(comparison),
        *(command for command, _ in next_steps.commands(comparison, ENGLISH)),
    ):
        assert said in header
    assert sentences.reason(comparison) in rest


def test_a_tentative_verdict_is_grey_and_several_seeds_are_not_provisional() -> None:
    inputs = make_inputs(seeds=2)
    rising = inputs.comparison.candidate.model_copy(update={"maturity": "rising"})
    inputs = dataclasses.replace(inputs, comparison=inputs.comparison.model_copy(update={"candidate": rising}))
    header, _, rest = render(inputs, NO_PICTURES, ENGLISH).partition("</header>")
    assert re.findall(r'<span class="badge.*', header) == ['<span class="badge grey">worse after 40 epochs</span>']
    assert "Thin lines are seeds" in rest


def test_no_name_can_put_anything_into_a_page(page: str, inputs: ReportInputs) -> None:
    images = HeldOutImages(inputs)
    pages = [page]
    pages += [
        render_errors(inputs, kind, {arm: images.examples(kind, arm) for arm in ARMS}, ENGLISH) for kind in ERROR_KINDS
    ]
    for each in pages:
        Outline(each)
        assert "<script" not in each
        assert "<b>" not in each
        assert "&lt;b&gt;" in each
    assert html.escape(HOSTILE) in page
    assert any(html.escape(HOSTILE) in each for each in pages[1:])


def test_a_picture_whose_file_is_gone_leaves_its_name(english: str, gallery: Gallery) -> None:
    pairs = [*gallery.ahead, *gallery.behind, *gallery.typical]
    gone = [pair.image for pair in pairs if not pair.picture.source]
    assert 0 < len(gone) < len(pairs)
    text = html.unescape(english)
    for image in gone:
        for name in ("yolo11n", "mnv1_n"):
            assert f'aria-label="{name}: {image}: can’t be shown, No such file or directory"' in text
        assert f"<code><bdi>{image}</bdi></code>" in text
    assert english.count('<div class="shot missing"') == 2 * len(gone)
    assert english.count("data:image/jpeg") == len(pairs) - len(gone)  # once for both models


def test_the_page_asks_the_network_for_nothing(page: str) -> None:
    assert "http" not in page
    assert "@import" not in page
    assert "src=" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_ids_are_unique_and_every_id_that_is_used_exists(page: str) -> None:
    ids = Outline(page).ids
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page))
    assert used == set(ids)
    assert any(each.startswith("shot-") for each in used)  # the second model's picture is the first one's


def test_every_colour_exists_on_a_light_and_a_dark_page(page: str) -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", page)) - {"colour", "key"}
    light, dark = (
        set(re.findall(r"--([\w-]+): #", block)) for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL)[:2]
    )
    assert used <= light
    assert light == dark
    styles = {words.badge(make_comparison(verdict=verdict), ENGLISH)[0] for verdict in VERDICTS} | {"grey"}
    assert styles == set(re.findall(r"\.badge\.([\w-]+) \{ --colour", page))


def test_only_metrics_that_need_no_confidence_have_a_badge(english: str) -> None:
    _, _, section = english.partition("<h2>At the confidence to deploy with</h2>")
    deployed, _, _ = section.partition("</section>")
    assert "badge" not in deployed
    assert '<td class="r">–</td>' in deployed
    assert "machine busy" in english


def test_the_page_says_how_to_make_the_comparison_again(english: str, inputs: ReportInputs) -> None:
    text = html.unescape(english)
    assert f"<pre><code>{reproduction.command(inputs)}</code></pre>" in text
    comparison = inputs.comparison
    for digest in (comparison.data_digest, comparison.recipe_digest, *comparison.candidate.weights_digests):
        assert f"<code>{digest}</code>" in text
    for key, value in inputs.results["baseline"][0].training.recipe.items():
        assert f"<li><span>{key}</span> <code>{value}</code></li>" in text


def test_a_long_table_of_classes_starts_folded(english: str) -> None:
    assert "<details open>\n<summary>mAP50-95 of 3 classes" in english
    many = make_inputs(classes=tuple(f"class {number}" for number in range(40)))
    assert "<details>\n<summary>mAP50-95 of 40 classes" in render(many, NO_PICTURES, ENGLISH)


def test_the_arms_are_marked_among_what_each_backbone_costs(english: str) -> None:
    assert english.count('mnv1_n (α\xa00.25)</bdi> <span class="arm candidate">candidate</span></th>') == 2
    assert english.count('yolo11n</bdi> <span class="arm baseline">baseline</span></th>') == 2
    assert english.count('<span class="arm') == 4


def test_write_reports_leaves_the_same_files_each_time(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for name in ("once", "again"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        write_reports(inputs)
        files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        written.append({file: file.read_bytes() for file in files})
    assert written[0] == written[1]
    pages = [REPORT_FILE, *(ERRORS_DIR / f"{kind}.html" for kind in ERROR_KINDS)]
    assert written[0].keys() == {
        *pages,
        *map(chinese().file, pages),
        SUMMARY_FILE,
        FIGURES_DIR / "forest.png",
        FIGURES_DIR / "curves.png",
        *(PLOTS_DIR / f"{name}.csv" for name in ("map50_95", "map50", "train_loss", "val_loss", "precision_recall")),
        *(PLOTS_DIR / f"confusion_{arm}.csv" for arm in ARMS),
    }
