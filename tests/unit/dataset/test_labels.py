from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobileyolo.dataset import labels
from mobileyolo.dataset.labels import LINES, LabelLine, parse_line, read_label
from tests.pipes import make_pipe

BOX = b"0 .5 .5 .2 .2"


def read(folder: Path, content: bytes) -> list[LabelLine]:
    (folder / "a.txt").write_bytes(content)
    return read_label(folder / "a.txt")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n \t\r\n", []),
        (b"\xef\xbb\xbf", []),
        ("\u00a0\n\u3000\n".encode(), []),  # blank to Python, and so to Ultralytics
        (BOX, [1]),
        (BOX + b"\n" + BOX, [1, 2]),
        (b"\xef\xbb\xbf\r\n" + BOX + b"\r\n \t\r\n1\t.5 .5 .1 1e-1  \n\n", [2, 4]),
        (BOX + b"\r" + BOX, [1, 2]),  # of an old Mac
        (BOX + b"\n\r" + BOX, [1, 3]),
        (b"\f\n" + BOX + b"\f\n" + BOX + b"\v", [2, 3]),  # at a line's end they are blanks
        (BOX + b"\n\x1c\n" + BOX, [1, 3]),
    ],
)
def test_lines_are_counted_as_editors_count_them(tmp_path: Path, content: bytes, lines: list[int]) -> None:
    found = read(tmp_path, content)
    assert [line.line for line in found] == lines
    assert {line.parse_error for line in found} <= {None}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"0", "1 columns; expected class x y w h, or a class and three or more points"),
        (b"0 .5 .5 .2", "4 columns; expected"),
        (b"0 .1 .1 .2 .2 .3", "6 columns; expected"),
        (b"0 .5 .5 .2 .2 .9", "6 columns; expected"),
        (b"0 0,5 .5 .2 .2", "'0,5' is not a finite number"),
        (b"0.5 .5 .5 .2 .2", "class 0.5 is not a whole number"),
        (b"bar .5 .5 .2 .2", "'bar' is not a finite number"),
        (b"0 nan .5 .2 .2", "'nan' is not a finite number"),
        (b"0 Infinity .5 .2 .2", "'Infinity' is not a finite number"),
        (b"0 1e400 .5 .2 .2", "'1e400' is not a finite number"),
        (b"0 -1e400 .5 .2 .2", "'-1e400' is not a finite number"),
        (b"1e400 .5 .5 .2 .2", "'1e400' is not a finite number"),
        (b"0 .5 .5 .2 1_0", "'1_0' is not a finite number"),
        (b"0 .5 .5 .2 0x1", "'0x1' is not a finite number"),
        (b"0 .5 .5 .2 .", "'.' is not a finite number"),
        (b"0 .5 .5 .2 5e", "'5e' is not a finite number"),
        (b"0 .5 .5 .2 --5", "'--5' is not a finite number"),
        ("0 .5 .5 .2 ５".encode(), "'５' is not a finite number"),
        ("0 .5 .5 .2 ٣".encode(), "'٣' is not a finite number"),
        ("0 .5 .5 .2 −5".encode(), "'−5' is not a finite number"),  # a typographic minus
        ("\ufeff0 .5 .5 .2 .2".encode(), r"'\ufeff0' is not a finite number"),  # a mark that is not the file's
        (BOX + b"\x00", "is not a finite number"),
        (b"0 \xff .5 .2 .2", "not UTF-8"),
        (BOX + b"\f1 .5 .5 .2 .2", r"'\x0c' in the line"),
        (b"0 .5 .5\v.2 .2", r"'\x0b' in the line"),
        (b"0 .5 .5 \x1d.2 .2", r"'\x1d' in the line"),
        ("0 .5 .5\x85.2 .2".encode(), r"'\x85' in the line"),
        ("0 .5 .5\u2028.2 .2".encode(), r"'\u2028' in the line"),
    ],
)
def test_a_malformed_line_keeps_its_text_and_has_no_coordinates(tmp_path: Path, content: bytes, error: str) -> None:
    before, line, after = read(tmp_path, BOX + b"\n" + content + b"\n" + BOX)
    assert (before.parse_error, after.parse_error, after.line) == (None, None, 3)
    assert error in str(line.parse_error)
    assert line.line == 2
    assert line.text == content.decode(errors="backslashreplace").strip()
    assert np.isnan([line.class_id, line.x, line.y, line.w, line.h]).all()
    assert (line.points, line.key) == (0, -1)


def test_a_malformed_line_is_shortened(tmp_path: Path) -> None:
    (line,) = read(tmp_path, b"0 " + b"x" * 1_000_000)
    assert len(line.text) == 80
    assert len(str(line.parse_error)) < 80


@pytest.mark.parametrize(
    "spelling", ["0.0 0.50 5e-1 .2  .2", "-0 .5 .5 .2 .2", "+0\t.5 .5 .20 2E-1", "0 .5\u00a0.5 .2 .2"]
)
def test_a_box_has_one_key_however_it_is_spelt(tmp_path: Path, spelling: str) -> None:
    assert read(tmp_path, spelling.encode()) == read(tmp_path, BOX)


def test_lines_with_different_numbers_have_different_keys() -> None:
    lines = ["0 .5 .5 .2 .2", "1 .5 .5 .2 .2", "-1 .5 .5 .2 .2", "-2 .5 .5 .2 .2", "0 -1 -2 1 1", "0 -2 -1 1 1"]
    lines += ["0 .2 .5 .5 .2", "0 .1 .1 .2 .1 .2 .3", "0 .1 .1 .2 .3 .2 .1", "0 .5 .5 .2 .2000000000000001"]
    keys = [parse_line(line)[-1] for line in lines]
    assert len(set(keys)) == len(lines)
    assert all(0 <= key < 2**63 for key in keys)


def test_keys_are_the_same_in_every_process() -> None:
    code = "from mobileyolo.dataset.labels import parse_line; print(parse_line('-1 .5 .25 .2 .2')[-1])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{parse_line('-1 .5 .25 .2 .2')[-1]}\n".encode()}


def test_a_polygon_becomes_the_box_round_it(tmp_path: Path) -> None:
    box, polygon = read(tmp_path, BOX + b"\n1 0.2 0.1 0.6 0.3 0.4 0.9")
    assert polygon[3:8] == pytest.approx((1, 0.4, 0.5, 0.4, 0.8))
    assert (box.points, polygon.points) == (0, 3)


def test_both_ways_of_reading_give_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    good = ["0", "1", "-1", ".5", "0.25", "-0.0", "1e-3", "1E+2", "1.", "1e308", "-1e308"]
    bad = ["1e400", "-1e400", ".", "+", "1e", "..5", "e", "1-1"]
    rows = [" ".join(rng.choices(good + bad, k=rng.randrange(9))) for _ in range(2000)]
    rows += [" ".join(rng.choices(good, k=k)) for k in (5, 7, 9) for _ in range(1000)]
    content = "\n".join(rows).encode()
    assert not content.translate(None, labels.PLAIN)
    fast = read(tmp_path, content)
    monkeypatch.setattr(labels, "PLAIN", b"")
    slow = read(tmp_path, content)
    assert len(fast) > 2000
    assert sum(line.parse_error is None for line in fast) > 1000
    # repr: nan equals nan, and 0 is not -0
    assert list(map(repr, fast)) == list(map(repr, slow))


def test_what_ultralytics_reads_is_read_the_same_or_refused(tmp_path: Path) -> None:
    """Against the parsing of Ultralytics 8.4, `ultralytics.data.utils.verify_image_label`, in its own words."""
    rng = random.Random(1)
    odd = ["\t", "\n", "\r\n", "\r", "\f", "\v", "\x1c", "\x1f", "\x85", "\u2028", "\u00a0", " \f\n", "\x00", "_", ""]
    compared = 0
    for columns in rng.choices([5, 7], k=2000):
        glue = [" "] * (2 * columns - 1)
        glue[columns - 1] = "\n"
        for _ in range(2):
            glue[rng.randrange(len(glue))] = rng.choice(odd)
        text = "".join(rng.choice(["0", "1"]) + between for between in [*glue, ""])
        mine = read(tmp_path, text.encode())
        if any(line.parse_error for line in mine):
            continue
        theirs = [x.split() for x in (tmp_path / "a.txt").read_text("utf-8-sig").strip().splitlines() if x.strip()]
        assert [line.class_id for line in mine] == [float(columns[0]) for columns in theirs]
        assert [line.points * 2 or 4 for line in mine] == [len(columns) - 1 for columns in theirs]
        compared += 1
    assert compared > 50


@pytest.mark.parametrize(
    ("encoding", "error"),
    [
        ("utf-16", "UTF-16 text; save it as UTF-8"),
        ("utf-32", "UTF-32 text; save it as UTF-8"),
    ],
)
def test_other_encodings_are_named(tmp_path: Path, encoding: str, error: str) -> None:
    assert read(tmp_path, BOX.decode().encode(encoding)) == [LabelLine(1, "", error)]


def test_utf16_without_a_mark_is_no_box(tmp_path: Path) -> None:
    assert all(line.parse_error for line in read(tmp_path, BOX.decode().encode("utf-16-le")))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(5_000_000_000)
    (line,) = read_label(tmp_path / "a.txt")
    assert line[:3] == (1, "", "5,000,000,000 bytes; no label file is larger than 16 MB")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_file_of_very_many_lines_is_one_line_that_says_so(tmp_path: Path, end: bytes) -> None:
    assert len(read(tmp_path, (b"0" + end) * LINES)) == LINES
    (line,) = read(tmp_path, (b"0" + end) * (LINES + 1))
    assert line[:3] == (1, "", "more than 100,000 lines; no label file has as many")


def test_what_is_no_file_is_one_line_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    make_pipe(tmp_path / "fifo.txt")
    errors = {
        "folder.txt": "a folder, not a file",
        "gone.txt": "No such file or directory",
        "loop.txt": "Too many levels of symbolic links",
        "fifo.txt": "not a regular file",
        "x" * 300: "File name too long",
    }
    assert {name: read_label(tmp_path / name)[0].parse_error for name in errors} == errors
    assert all(math.isnan(read_label(tmp_path / name)[0].x) for name in errors)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_one_line_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(BOX)
    (tmp_path / "a.txt").chmod(0)
    assert read_label(tmp_path / "a.txt")[0].parse_error == "Permission denied"


def test_a_file_as_large_as_allowed_is_read_whole(tmp_path: Path) -> None:
    assert len(read(tmp_path, (BOX + b"\n") * 100_000 + b"0" * 8_000_000)) == 100_001
