"""Text files that others wrote: read whole or refused with a reason, and quoted in messages in a safe, short form."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path

from mobileyolo.core.datasets import read_regular
from mobileyolo.core.errors import DatasetError

# UTF-32 first: in little endian it begins like UTF-16.
WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# They change a terminal, end a line invisibly, or can't be encoded. Tabs and line ends are escaped, so they are fine.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
QUOTED = 80  # characters of a text from outside in a message


def read_content(path: Path | str, limit_mb: int, purpose: str) -> bytes:
    """Content of a UTF-8 file, without a byte order mark; the arguments are those of read_regular.

    Raises:
        ValueError: it can't be read; the message says why, without the path.
    """
    try:
        content = read_regular(path, limit_mb, purpose)
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from None
    if content[:1] in {b"\xff", b"\xfe", b"\x00"}:
        for mark, encoding in WIDE_MARKS.items():
            if content.startswith(mark):
                raise ValueError(f"{encoding} text; save it as UTF-8")
    return content.removeprefix(codecs.BOM_UTF8)


def read_text(path: Path, limit_mb: int, purpose: str) -> str:
    """Text of a UTF-8 file; the arguments are those of read_content.

    Raises:
        DatasetError: it can't be read or is not UTF-8.
    """
    try:
        content = read_content(path, limit_mb, purpose)
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8") from None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None


def read_lines(path: Path, limit_mb: int, purpose: str) -> Iterator[tuple[int, str]]:
    """Non-blank lines of a UTF-8 file with their 1-based numbers, without blanks at their ends.

    Raises:
        DatasetError: it can't be read, is not UTF-8, or a line has a control character.
    """
    for number, line in enumerate(io.StringIO(read_text(path, limit_mb, purpose), newline=None), start=1):
        if text := line.strip():
            refuse_control(f"{path}:{number}: {shortened(repr(text))}", text)
            yield number, text


def refuse_control(where: str, text: str) -> None:
    """Refuse a text with a control character; `where` begins the message.

    Raises:
        DatasetError: it has one.
    """
    if found := CONTROL.search(text):
        raise DatasetError(f"{where}: has the control character {found[0]!r}")


def shortened(text: str, length: int = QUOTED) -> str:
    """A text cut to so many characters, with an ellipsis at its end."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def plain(text: str, length: int = QUOTED) -> str:
    """A text, shortened; with escapes if it has a character that is not printable."""
    return shortened(text if text.isprintable() else repr(text), length)
