"""Text that others wrote, such as names of files and classes, as it may be shown."""

from __future__ import annotations

JOINERS = "\u200c\u200d"  # not printable, but Persian, Hindi and emoji are written with them


def printable(text: str) -> str:
    """Text with escapes in place of characters that would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode() for c in text)
