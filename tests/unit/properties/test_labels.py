from __future__ import annotations

import codecs
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileyolo.dataset.labels import LabelLine, read_label
from mobileyolo.dataset.text import WIDE_MARKS

FILLERS = [" ", "\t", "\n", "\r", "\r\n", "0", "1", ".5", "-", "+", "e", "nan", "0 .5 .5 .2 .2\n", "x", "\x0b", "\x1c"]
FILLERS += ["\x85", "\u2028", "\u00a0", "\ufeff", "٣", "\0"]
PIECES = st.sampled_from([piece.encode() for piece in FILLERS] + [b"\xff", b"\x80", b"\xc3", codecs.BOM_UTF8])
CONTENT = st.binary(max_size=200) | st.lists(PIECES, max_size=40).map(b"".join)
SIDE = st.floats(0, 1)
NUMBER = st.floats(-1e6, 1e6)
CLASS = st.integers(-5, 1_000_000)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels") / "a.txt"


def read(file: Path, content: bytes) -> list[LabelLine]:
    file.write_bytes(content)
    return read_label(file)


def written(content: bytes) -> list[int]:
    """Numbers of the lines that are not blank, or can't be told to be."""
    numbers = []
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        try:
            blank = not line.decode().strip()
        except UnicodeDecodeError:
            blank = False
        numbers += [] if blank else [number]
    return numbers


@given(CONTENT)
@settings(max_examples=500)
def test_each_line_of_any_bytes_is_a_box_or_a_fault_with_its_number(file: Path, content: bytes) -> None:
    lines = read(file, content)
    if content.startswith(tuple(WIDE_MARKS)):
        assert [line[:2] for line in lines] == [(1, "")]
        assert "save it as UTF-8" in str(lines[0].parse_error)
        return
    assert [line.line for line in lines] == written(content)
    for line in lines:
        numbers = (line.class_id, line.x, line.y, line.w, line.h)
        if line.parse_error is None:
            assert all(map(math.isfinite, numbers))
            assert line.class_id.is_integer()
            assert (line.text, line.key >= 0) == ("", True)
        else:
            assert line.parse_error
            assert all(map(math.isnan, numbers))
            assert len(line.text) <= 80


@given(st.lists(st.tuples(CLASS, NUMBER, NUMBER, SIDE, SIDE), max_size=20), st.sampled_from(["\n", "\r", "\r\n"]))
def test_boxes_are_read_as_they_were_written(file: Path, boxes: list[tuple[float, ...]], end: str) -> None:
    text = end.join(" ".join(map(repr, box)) for box in boxes)
    lines = read(file, text.encode())
    assert [(line.class_id, line.x, line.y, line.w, line.h) for line in lines] == boxes
    assert {(line.points, line.parse_error) for line in lines} <= {(0, None)}
    # Equal numbers, and only these, have an equal key.
    assert len({line.key for line in lines}) == len({tuple(map(float, box)) for box in boxes})


@given(CLASS, st.lists(st.tuples(SIDE, SIDE), min_size=3, max_size=12))
def test_a_polygon_lies_in_its_box_and_touches_its_sides(
    file: Path, class_id: int, points: list[tuple[float, float]]
) -> None:
    numbers = " ".join(f"{x!r} {y!r}" for x, y in points)
    (line,) = read(file, f"{class_id} {numbers}\n".encode())
    assert (line.class_id, line.points, line.parse_error) == (class_id, len(points), None)
    for centre, size, values in ((line.x, line.w, [x for x, _ in points]), (line.y, line.h, [y for _, y in points])):
        assert centre - size / 2 == pytest.approx(min(values), abs=1e-9)
        assert centre + size / 2 == pytest.approx(max(values), abs=1e-9)
