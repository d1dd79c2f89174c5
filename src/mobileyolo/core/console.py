"""What reaches a terminal. Names of files, classes and models are others' text, and may hold what steers a terminal."""

from __future__ import annotations

import sys
from typing import NoReturn

from mobileyolo.core.text import printable


def say(text: str, end: str = "\n") -> None:
    """Print lines, with escapes in place of control characters."""
    print(harmless(text), end=end, flush=True)  # noqa: T201 -- the only place that prints


def fail(text: str) -> NoReturn:
    """End the process with exit code 1 and a message, with escapes in place of control characters."""
    sys.exit(harmless(text))


def harmless(text: str) -> str:
    r"""Lines as they may be shown: all characters but line ends that are not printable become escapes.

    >>> harmless("cell\x1b[2J")
    'cell\\x1b[2J'
    """
    return "\n".join(printable(line) for line in text.split("\n"))
