"""What a table holds, wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of formatted cells; align has one letter a column, l or r."""

    header: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
