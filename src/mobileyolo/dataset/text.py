"""Text files that others wrote: read whole or refused with a reason, and quoted in messages without flooding them."""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from mobileyolo.core.errors import DatasetError

# UTF-32 first: in little endian it begins like UTF-16.
WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# They steer a terminal, end lines unseen, or can't be written; tabs and line ends are harmless where they are escaped.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
QUOTED = 80  # characters of somebody's text in a message


def read_content(path: Path | str, limit_mb: int, purpose: str) -> bytes:
    """Content of a UTF-8 file, without a byte order mark; what is no regular file is not opened.

    Args:
        path: The file.
        limit_mb: Size in megabytes (1e6 bytes) above which it is not read.
        purpose: What a file of that size can't be: "label file".

    Raises:
        ValueError: there is nothing to be read; the message says why, without the path.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  # with a Path, each of these costs twice as much, for every label file
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for a writer
            raise ValueError("a folder, no file" if stat.S_ISDIR(status.st_mode) else "no regular file")
        if status.st_size > limit_mb * 1e6:
            raise ValueError(f"{status.st_size:,} bytes; no {purpose} is larger than {limit_mb} MB")
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            content = file.read()
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
    """Refuse a text with a control character; where it stands, and that it is meant, is for the caller to say.

    Raises:
        DatasetError: it has one.
    """
    if found := CONTROL.search(text):
        raise DatasetError(f"{where}: has the control character {found[0]!r}")


def shortened(text: str, length: int = QUOTED) -> str:
    """A text of at most that many characters; what is cut ends in an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def plain(text: str, length: int = QUOTED) -> str:
    """A text as it is, shortened, or quoted where a character of it can't be seen."""
    return shortened(text if text.isprintable() else repr(text), length)
