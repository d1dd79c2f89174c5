"""Text that others wrote, such as names of files and classes, as it may be shown."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # not printable, but Persian, Hindi and emoji are written with them


def printable(text: str) -> str:
    """Text with escapes in place of characters that would move a terminal's cursor or change its colours."""
    return "".join(c if _is_harmless(c) else c.encode("unicode_escape").decode() for c in text)


def _is_harmless(character: str) -> bool:
    # A wide or a no-break space is not printable to Python, but a path that is shown and pasted has to keep it.
    return character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs"
