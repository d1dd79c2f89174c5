"""Text files that others wrote: read whole or refused with a reason, and quoted in messages without flooding them."""

from __future__ import annotations

import codecs
import re
import stat
from pathlib import Path

# UTF-32 first: in little endian it begins like UTF-16.
WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # not a text's business; some of them end a line for Python
QUOTED = 80  # characters of somebody's text in a message


def read_content(path: Path, limit_mb: int, purpose: str) -> bytes:
    """Content of a UTF-8 file, without a byte order mark; what is no regular file is not opened.

    Args:
        path: The file.
        limit_mb: Size in megabytes (1e6 bytes) above which it is not read.
        purpose: What a file of that size can't be: "label file".

    Raises:
        ValueError: there is nothing to be read; the message says why, without the path.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for a writer
            raise ValueError("a folder, no file" if stat.S_ISDIR(status.st_mode) else "no regular file")
        if status.st_size > limit_mb * 1e6:
            raise ValueError(f"{status.st_size / 1e6:,.0f} MB; no {purpose} is larger than {limit_mb} MB")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from None
    if content[:1] in {b"\xff", b"\xfe", b"\x00"}:
        for mark, encoding in WIDE_MARKS.items():
            if content.startswith(mark):
                raise ValueError(f"{encoding} text; save it as UTF-8")
    return content.removeprefix(codecs.BOM_UTF8)


def shortened(text: str, length: int = QUOTED) -> str:
    """A text of at most that many characters; what is cut ends in an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
