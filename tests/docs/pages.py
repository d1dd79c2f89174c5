"""The documentation's pages as text, and what is in them: fenced blocks, headings, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README, CHINESE_README = ROOT / "README.md", ROOT / "README.zh-CN.md"
SITE_PAGES = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [README, CHINESE_README, *SITE_PAGES]
CHINESE = ROOT / "docs/zh"
# Pages that exist in both languages, in English and in Chinese.
TRANSLATED = [
    (README, CHINESE_README),
    *((ROOT / "docs" / page.relative_to(CHINESE), page) for page in sorted(CHINESE.glob("*/*.md"))),
]

_FENCE = re.compile(r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    reason: str  # why no test runs it; "" if one has to

    @property
    def commands(self) -> str:
        """Its text without comments."""
        return "\n".join(re.sub(r"(^|\s+)# .*", "", line) for line in self.text.splitlines())

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    """The page's path as people see it."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in their order."""
    text = read(page)
    return [
        Block(
            page,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["text"],
            match["reason"] or "",
        )
        for match in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page's text without fenced blocks."""
    return _FENCE.sub("", read(page))


def headings(page: Path) -> list[tuple[int, str]]:
    """Level and text of each heading."""
    return [(len(level), text) for level, text in re.findall(r"^(#+) (.+)$", prose(page), re.M)]


def links(page: Path) -> list[str]:
    """Where links and images lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchor(heading: str) -> str:
    """The anchor of a heading, as code hosts and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
