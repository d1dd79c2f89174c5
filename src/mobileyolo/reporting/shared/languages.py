"""The languages of a report. Messages are written in English in the code; zh_CN.po has their translations.

Python marks a message with a parameter `_`: `_("{a} is better than {b}").format(a=..., b=...)`. Templates use
`{% trans %}`. A message without a translation stays English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Translate = Callable[[str], str]

CATALOGUE = Path(__file__).with_name("zh_CN.po")


@dataclass(frozen=True)
class Language:
    """A language. Called with a message, it gives the translation.

    Attributes:
        code: as in HTML's lang.
        name: in the language itself.
        infix: what a page's file name has before its ending.
        messages: translations by English message.
    """

    code: str
    name: str
    infix: str = ""
    messages: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __call__(self, message: str) -> str:
        """The message in this language."""
        return self.messages.get(message, message)

    def file(self, page: Path) -> Path:
        """The file of a page in this language.

        >>> Language("zh-CN", "中文", ".zh-CN").file(Path("reports/index.html")).name
        'index.zh-CN.html'
        """
        return page.with_name(f"{page.stem}{self.infix}{page.suffix}")


ENGLISH = Language("en", "English")


@cache
def chinese() -> Language:
    """Simplified Chinese, read from the catalogue."""
    from babel.messages.pofile import read_po  # only the pages need it

    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN")
    messages = {str(each.id): str(each.string) for each in catalogue if each.id and each.string}
    return Language("zh-CN", "中文", ".zh-CN", messages)
