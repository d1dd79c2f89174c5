"""The leaderboard as a text, in each of its formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mobileyolo.leaderboard.ranking import Leaderboard
from mobileyolo.reporting.leaderboard import tables
from mobileyolo.reporting.shared.cells import Table, console, markdown
from mobileyolo.reporting.shared.pages import render_template


def render(board: Leaderboard, form: str) -> str:
    """The leaderboard, with a line end behind it.

    Args:
        board: what was tried.
        form: one of FORMATS.
    """
    return f"{FORMATS[form](board).rstrip()}\n"


def _console(board: Leaderboard) -> str:
    return "\n\n".join(_parts(board, "", console))


def _markdown(board: Leaderboard) -> str:
    return "\n\n".join(["# Leaderboard", *_parts(board, "## ", markdown)])


def _parts(board: Leaderboard, heading: str, draw: Callable[[Table], str]) -> Iterator[str]:
    for group in board.groups:
        yield f"{heading}{tables.title(group)}"
        yield f"{tables.candidates(group)}\n{tables.terms(group)}"
        yield draw(tables.table(group))
    yield tables.MEANINGS if board.groups else tables.EMPTY
    if left_out := tables.left_out(board):
        yield left_out


def _html(board: Leaderboard) -> str:
    return render_template("leaderboard/page.html.j2", board=board, tables=tables)


FORMATS: dict[str, Callable[[Leaderboard], str]] = {
    "table": _console,
    "html": _html,
    "markdown": _markdown,
    "csv": tables.as_csv,
}
