from __future__ import annotations

import csv
import io

import pytest

from mobileyolo.commands import leaderboard
from mobileyolo.leaderboard.ranking import Leaderboard, rank
from mobileyolo.reporting.leaderboard.formats import FORMATS, render
from tests.tracked import compared, make_run


@pytest.fixture
def board() -> Leaderboard:
    tags, metrics = compared(-0.125, provisional=True)
    return rank(
        [
            make_run("yolo11n", map50_95=0.5, arm="baseline"),
            make_run("mnv1_n", 0, 0.25, tags=tags, metrics=metrics),
            make_run("mnv1_n", 1, 0.5),
            make_run("mnv1_s", map50_95=0.75, params={"init.backbone": "<b>|x.pt"}),
            make_run(arm="teacher"),
        ]
    )


def test_the_terminal_shows_the_table_with_what_was_logged_and_what_was_left_out(board: Leaderboard) -> None:
    lines = render(board, "table").splitlines()
    assert lines[0] == "shapes (dddddddd), test"
    assert lines[2].startswith("2 candidates measured on these test images; the best of them is partly the luckiest")
    assert lines[3] == "Recipe rrrrrrrr: epochs 2, imgsz 64. Engine: torch 2.14.1."
    (candidate,) = (line.split("  ") for line in lines if line.startswith("mnv1_n"))
    assert [cell.strip() for cell in candidate if cell] == [
        "mnv1_n",
        "candidate",
        "2",
        "0.375 ± 0.177",
        "0.750 ± 0.000",
        "-0.125",
        "-0.375 to +0.125 (1 of 2 seeds)",
        "yolo11n",
        "2.00",
        "x 0.75 (0.50 to 1.00)",
        "worse, provisional",
    ]
    assert lines[-1] == "Left out: 1 run (1 trained to teach)."


def test_markdown_escapes_what_others_wrote(board: Leaderboard) -> None:
    text = render(board, "markdown")
    assert text.startswith("# Leaderboard\n\n## shapes (dddddddd), test\n\n")
    assert r"| mnv1_s, from \<b\>\|x.pt | candidate | 1 | 0.750 |" in text


def test_the_page_has_every_row_with_its_verdict_and_escapes_what_others_wrote(board: Leaderboard) -> None:
    page = render(board, "html")
    assert "mnv1_s, from &lt;b&gt;|x.pt" in page
    assert '<span class="badge grey">worse, provisional</span>' in page
    assert page.count("<tr>") == 1 + 3
    assert "<b>" not in page


def test_csv_has_all_digits_and_empty_cells_where_nothing_is_known(board: Leaderboard) -> None:
    first, *_, last = csv.DictReader(io.StringIO(render(board, "csv")))
    assert (first["model"], first["map50_95"], first["map50_95_deviation"]) == ("mnv1_s, from <b>|x.pt", "0.75", "")
    assert (first["difference"], first["low"], first["against"]) == ("0.25", "", "yolo11n")
    assert (last["model"], last["seeds"], last["difference"], last["low"]) == ("mnv1_n", "0 1", "-0.125", "-0.375")
    assert (last["verdict"], last["provisional"], last["compared_seeds"]) == ("worse", "true", "1")
    assert (last["latency_ratio"], last["latency_ratio_high"], last["gflops"]) == ("0.75", "1.0", "")


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_an_empty_store_is_said_to_be_empty(form: str) -> None:
    assert "No model was measured yet." in render(rank([]), form)


def test_the_command_offers_the_formats_that_there_are() -> None:
    assert tuple(FORMATS) == leaderboard.FORMATS
    assert set(leaderboard.ENDINGS.values()) < set(FORMATS)
