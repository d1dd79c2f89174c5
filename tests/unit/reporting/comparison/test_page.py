from __future__ import annotations

import html
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mobileyolo.core.files import FIGURES_DIR, PLOTS_DIR, REPORT_FILE, SUMMARY_FILE
from mobileyolo.reporting.comparison import tables
from mobileyolo.reporting.comparison.page import render
from mobileyolo.reporting.comparison.report import write_reports
from tests.synthetic_results import ReportInputs, make_report_inputs

VOID = {"meta"}


class Outline(HTMLParser):
    """Headings, table rows and ids of a page; raises where a tag closes another one."""

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
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"h1", "h2"}:
            self.headings.append(data)


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return make_report_inputs(names=("red", "<script>alert(1)</script>", "血小板"))


@pytest.fixture(scope="module")
def page(inputs: ReportInputs) -> str:
    return render(*inputs)


def test_the_page_tells_its_story_in_order(page: str, inputs: ReportInputs) -> None:
    assert Outline(page).headings == [
        tables.headline(inputs.comparison).replace("-", "\N{NON-BREAKING HYPHEN}"),
        "Difference in accuracy",
        "Cost",
        "Accuracy for its cost",
        "What each backbone costs",
        "Training",
        "Precision and recall",
        "By class",
        "Confusion matrix",
        "How to read this",
        "How to reproduce it",
    ]


def test_the_verdict_stands_with_its_reason(page: str, inputs: ReportInputs) -> None:
    assert '<span class="badge worse">worse</span>\n<h1>' in page
    assert html.escape(inputs.comparison.reason, quote=False) in html.unescape(page)


def test_a_class_name_can_put_nothing_into_the_page(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_asks_the_network_for_nothing(page: str) -> None:
    assert "http" not in page
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r'(?:href|src)="([^"]*)"', page))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_ids_are_unique_across_the_figures(page: str) -> None:
    ids = Outline(page).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page)) == set(ids)


def test_every_colour_exists_on_a_light_and_a_dark_page(page: str) -> None:
    used = set(re.findall(r"var\(--(\w+)\)", page)) - {"colour"}
    light, dark = (set(re.findall(r"--(\w+): #", block)) for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL))
    assert used <= light
    assert light == dark


def test_the_page_says_how_to_make_the_comparison_again(page: str, inputs: ReportInputs) -> None:
    text = html.unescape(page)
    (shown,) = re.findall(r"dvc exp run -S 'data.*?(?=</code>)", text, re.DOTALL)
    command = shlex.split(shown.replace("\\\n", ""))
    assert {"data.dir=<dataset>", "backbone=mnv1_n", "baseline=yolo11n", "seeds=[0]"} <= set(command)
    keys = {part.partition("=")[0] for part in command}
    assert {f"train.{key}" for key in inputs.baseline[0].training.recipe} <= keys
    assert "train.cos_lr=false" in command
    assert "dvc exp run -S 'seeds=[0,1,2]'" in text
    digests = (
        inputs.comparison.data_digest,
        inputs.comparison.recipe_digest,
        *inputs.comparison.baseline.weights_digests,
        *inputs.comparison.candidate.weights_digests,
    )
    assert all(digest in text for digest in digests)
    assert all(key in text for key in inputs.baseline[0].training.recipe)


def test_a_long_table_of_classes_starts_folded(page: str) -> None:
    assert "<details open>" in page
    many = make_report_inputs(seeds=2, names=tuple(f"class {number}" for number in range(40)))
    assert "<details>" in render(*many)


def test_the_reading_depends_on_the_number_of_seeds(page: str) -> None:
    assert "One training can't show that" in page
    several = render(*make_report_inputs(seeds=2))
    assert "One training can't show that" not in several
    assert "Student's t" in html.unescape(several)
    assert "Thin lines are seeds" in several


def test_write_reports_leaves_the_same_files_each_time(
    inputs: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for name in ("once", "again"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        write_reports(*inputs)
        files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        written.append({file: file.read_bytes() for file in files})
    assert written[0] == written[1]
    assert written[0].keys() == {
        REPORT_FILE,
        SUMMARY_FILE,
        FIGURES_DIR / "forest.png",
        FIGURES_DIR / "curves.png",
        *(PLOTS_DIR / f"{name}.csv" for name in ("map50_95", "map50", "train_loss", "val_loss", "precision_recall")),
        *(PLOTS_DIR / f"confusion_{arm}.csv" for arm in ("baseline", "candidate")),
    }


def test_the_arms_are_marked_among_what_each_backbone_costs(page: str) -> None:
    assert page.count('mnv1_n (α\xa00.25) <span class="arm candidate">candidate</span></th>') == 2
    assert page.count('yolo11n <span class="arm baseline">baseline</span></th>') == 2
    assert page.count('<span class="arm') == 4
