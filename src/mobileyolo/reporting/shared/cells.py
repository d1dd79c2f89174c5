"""Tables of formatted cells, for Markdown and for a terminal."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of formatted cells.

    Attributes:
        align: one letter for each column, l or r.
        marks: the style of the badge in the last cell of each row, "" for a row without one; empty for a table without.
    """

    header: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...] = ()


def markdown(table: Table) -> str:
    r"""A table in GitHub's Markdown, its cells as plain text.

    >>> print(markdown(Table(("model", "mAP50"), "lr", (("yolo11n", "0.894"), ("a|b", "0.9")))))
    | model | mAP50 |
    | :-- | --: |
    | yolo11n | 0.894 |
    | a\|b | 0.9 |
    """
    rule = {"l": ":--", "r": "--:"}
    lines = [table.header, tuple(rule[side] for side in table.align), *table.rows]
    escaped = [lines[0], *lines[2:]]
    texts = [[re.sub(r"([\\`*\[\]<>|&])", r"\\\1", cell) for cell in line] for line in escaped]
    texts.insert(1, list(lines[1]))
    return "\n".join(f"| {' | '.join(line)} |" for line in texts)


def console(table: Table) -> str:
    """A table aligned for a terminal, in which Chinese characters are two columns wide.

    >>> print(console(Table(("class", "boxes"), "lr", (("helmet", "1,024"), ("头盔", "64")))))
    class   boxes
    helmet  1,024
    头盔       64
    """
    lines = [table.header, *table.rows]
    widths = [max(_columns(cell) for cell in column) for column in zip(*lines, strict=True)]

    def aligned(cell: str, width: int, side: str) -> str:
        space = " " * (width - _columns(cell))
        return cell + space if side == "l" else space + cell

    return "\n".join("  ".join(map(aligned, line, widths, table.align)).rstrip() for line in lines)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
