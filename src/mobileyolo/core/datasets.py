"""What any dataset may hold: the image formats that are read, and its names and paths as printable text."""

from __future__ import annotations

PILLOW_FORMATS = ("BMP", "JPEG", "MPO", "PNG", "TIFF", "WEBP")  # as Pillow names them
LARGEST_AREA = 89_478_485  # pixels; above, Pillow warns of a decompression bomb (a quarter GB decoded)
JOINERS = "\u200c\u200d"  # not printable, but Persian, Hindi and emoji are written with them


def printable(text: str) -> str:
    """Text with escapes in place of characters that would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode() for c in text)
