"""Our pages and Data Docs load nothing from the network: as their elements say, and as a browser does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import load_params
from mobileyolo.core.files import ModelFiles, ValidationFiles, write_text
from mobileyolo.dataset.parameters import ValidationRules
from mobileyolo.dataset.validation import validate
from mobileyolo.family.family import Family
from mobileyolo.reporting.comparison.report import write_reports
from mobileyolo.reporting.dataset.report import write_report
from mobileyolo.reporting.study.report import write_study
from mobileyolo.verdict.records import ERROR_KINDS
from tests.damage import line
from tests.synthetic import write_dataset
from tests.synthetic_comparison import make_inputs
from tests.synthetic_family import make_member

ELSEWHERE = re.compile(r"\s*(?:https?:)?//")
IN_STYLE = re.compile(r"""(?:url\(|@import)\s*['"]?([^'")\s;]+)""")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_NETWORK = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class Loads(HTMLParser):
    """Addresses that a page loads something from; links that a person has to follow are none."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_style = tag == "style"
        for name, value in attrs:
            if name == "style":
                self.addresses += IN_STYLE.findall(value or "")
            elif name == "srcset":
                self.addresses += [each.split()[0] for each in (value or "").split(",") if each.strip()]
            elif name in {"src", "data", "poster", "background"} or (name.endswith("href") and tag != "a"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.in_style = self.in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self.addresses += IN_STYLE.findall(data)

    @property
    def from_network(self) -> list[str]:
        return [address for address in self.addresses if ELSEWHERE.match(address)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every page that a pipeline and a study write, of a dataset with findings."""
    folder = tmp_path_factory.mktemp("offline")
    dataset = write_dataset(folder / "dataset")
    line("0 .5 .5 0 .2")(dataset, 1)
    files = ValidationFiles(folder / "reports/validation")
    rules = load_params().section(ValidationRules)
    write_report(files, dataset, validate(dataset, rules, docs_dir=files.docs))
    for arm in ARMS:
        write_text(folder / ModelFiles(arm, 0).weights, "linked to")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_reports(make_inputs())
        write_study(Family.of([make_member()]))
    return sorted((folder / "reports").rglob("*.html"))


def test_every_page_is_looked_at(pages: list[Path]) -> None:
    reports = Path(os.path.commonpath(pages))
    assert [page.relative_to(reports).as_posix() for page in pages] == [
        *sorted(f"errors/{kind}{language}.html" for kind in ERROR_KINDS for language in ("", ".zh-CN")),
        "index.html",
        "index.zh-CN.html",
        "study/index.html",
        "study/index.zh-CN.html",
        "validation/docs/expectations/faults.html",
        "validation/docs/expectations/quality.html",
        "validation/docs/index.html",
        "validation/docs/validations/faults/validation/latest/dataset.html",
        "validation/docs/validations/quality/validation/latest/dataset.html",
        "validation/index.html",
    ]


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<img srcset="a.png 1x, http://example.org/b.png 2x">',
        "<p style=\"background: url('https://example.org/a.png')\"></p>",
        "<style>@import 'https://example.org/a.css';</style>",
        '<svg><image xlink:href="https://example.org/a.png"/></svg>',
    ],
)
def test_an_element_that_loads_from_the_network_is_seen(element: str) -> None:
    assert len(Loads(f"<html>{element}</html>").from_network) == 1


def test_a_link_to_follow_loads_nothing() -> None:
    assert Loads('<a href="https://example.org">there</a>').from_network == []


def test_no_element_loads_from_the_network(pages: list[Path]) -> None:
    found = {page: Loads(page.read_text(encoding="utf-8")).from_network for page in pages}
    assert {page: addresses for page, addresses in found.items() if addresses} == {}


def test_what_a_page_links_to_is_there(pages: list[Path]) -> None:
    for page in pages:
        links = re.findall(r'<a [^>]*href="([^"#:]+)"', page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_of_data_docs_shows_both_suites_without_a_script(pages: list[Path]) -> None:
    index = next(page for page in pages if page.parent.name == "docs").read_text(encoding="utf-8")
    assert "<script" not in index
    for suite in ("faults", "quality"):
        assert f'href="validations/{suite}/validation/latest/dataset.html"' in index
        assert f'href="expectations/{suite}.html"' in index


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")
def test_a_browser_asks_the_network_for_nothing_on_our_pages(pages: list[Path], tmp_path: Path) -> None:
    # A page that does ask, beside ours, shows that the log would have it.
    asking = tmp_path / "asking.html"
    asking.write_text('<script src="https://example.org/a.js"></script>', encoding="utf-8")
    frames = "".join(f'<iframe src="{page.as_uri()}"></iframe>' for page in [*pages, asking])
    (tmp_path / "frames.html").write_text(frames, encoding="utf-8")
    assert requested(tmp_path / "frames.html", tmp_path) == {"https://example.org/a.js"}


def requested(page: Path, folder: Path) -> set[str]:
    """What a page, and the pages in its frames, ask the network for, as Chromium's log has it.

    Chromium's own requests, such as for the time, are in the log too; pages on disk ask as the origin "null".
    """
    log = folder / "log.json"
    command = [CHROMIUM, *NO_NETWORK, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom"]
    subprocess.run([*map(str, command), page.as_uri()], check=True, capture_output=True, timeout=120)
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if "url" in event.get("params", {})]
    return {params["url"] for params in asked if params.get("initiator") == "null"}
