"""The site that `make docs` builds: without a warning, and nothing on it comes from the web."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, SITE_PAGES

# What a browser fetches by itself when it opens a page or a style sheet.
_FETCHED = re.compile(r"<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)=[\"']?((?:https?:)?//[^\"'\s>]+)")
_FETCHED_BY_STYLE = re.compile(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    wanted = {page.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for page in SITE_PAGES}
    assert {page.relative_to(site).as_posix() for page in site.rglob("*.html")} - {"404.html"} == wanted


def test_opening_a_page_fetches_nothing_from_the_web(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert _FETCHED.findall(path.read_text(encoding="utf-8")) == [], path
    for path in site.rglob("*.css"):
        assert _FETCHED_BY_STYLE.findall(path.read_text(encoding="utf-8")) == [], path


def test_a_page_that_would_fetch_something_is_noticed() -> None:
    assert _FETCHED.findall('<link rel="stylesheet" href="https://fonts.example/css?x">') == [
        "https://fonts.example/css?x"
    ]
    assert _FETCHED.findall('<script src="//cdn.example/a.js"></script>') == ["//cdn.example/a.js"]
    assert _FETCHED_BY_STYLE.findall("@font-face{src:url(https://a.example/f.woff2)}") == ["https://a.example/f.woff2"]


def test_mermaids_script_is_not_asked_for(site: Path) -> None:
    """Material fetches it from the web as soon as a page has a diagram."""
    assert [path for path in site.rglob("*.html") if 'class="mermaid"' in path.read_text(encoding="utf-8")] == []


def test_search_knows_every_page(site: Path) -> None:
    index = (site / "search/search_index.json").read_text(encoding="utf-8")
    for page in SITE_PAGES:
        assert page.relative_to(ROOT / "docs").with_suffix(".html").as_posix() in index
