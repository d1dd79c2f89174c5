from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from mobileyolo.importing.filenames import Files, Found, listed

COMPOSED = unicodedata.normalize("NFC", "café.jpg")
DECOMPOSED = unicodedata.normalize("NFD", "café.jpg")  # as archives made on macOS have it


def meant(name: str, *files: str, folder: str = ".") -> tuple[str, ...]:
    return Files(Path("source"), files).meant(name, folder).files


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        (COMPOSED, [DECOMPOSED], [DECOMPOSED]),
        (DECOMPOSED, [COMPOSED], [COMPOSED]),
        (COMPOSED, [COMPOSED, DECOMPOSED], [COMPOSED]),  # two files here, and one of them is meant
        ("caf%C3%A9.jpg", [DECOMPOSED], [DECOMPOSED]),
        ("a b.jpg", ["a%20b.jpg", "a b.jpg"], ["a b.jpg"]),
        ("a%20b.jpg", ["a%20b.jpg", "a b.jpg"], ["a%20b.jpg"]),
        ("a#1.jpg", ["a#1.jpg", "a.jpg"], ["a#1.jpg"]),
        ("a.jpg?1", ["a.jpg?1", "a.jpg"], ["a.jpg?1"]),
        ("a.JPG", ["a.jpg", "a.JPG"], ["a.JPG"]),
        ("A.JPG", ["a.jpg", "a.png"], ["a.jpg"]),
        ("a.bmp", ["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        ("a", ["a.jpg"], ["a.jpg"]),
        ("frame.0001", ["frame.0001.jpg", "frame.jpg"], ["frame.0001.jpg"]),
        ("frame.0001", ["frame.jpg"], []),
        ("a.jpg", ["b/a.jpg.png"], []),
        ("ba.jpg", ["a.jpg"], []),
    ],
)
def test_spelling_decides_only_between_files_of_the_same_name(name: str, files: list[str], expected: list[str]) -> None:
    assert list(meant(name, *files)) == expected


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("a.jpg", "train", ["train/a.jpg"]),  # beside the file that names it
        ("a.jpg", "annotations", ["a.jpg"]),  # in the source itself
        ("../val/a.jpg", "train", ["val/a.jpg"]),
        ("../../val/a.jpg", "annotations", ["val/a.jpg"]),
        ("/home/me/train/a.jpg", "annotations", ["train/a.jpg"]),
        (r"C:\me\VAL\A.jpg", "annotations", ["val/a.jpg"]),
        ("/home/me/a.jpg", "annotations", ["a.jpg", "train/a.jpg", "val/a.jpg"]),
        ("test/a.jpg", "annotations", ["a.jpg", "train/a.jpg", "val/a.jpg"]),
        ("x/train/a.jpg", "val", ["train/a.jpg"]),
        ("http://host/train/a.jpg?b=val/a.jpg", ".", ["train/a.jpg"]),
        ("/files/?d=val%2Fa.jpg", ".", ["val/a.jpg"]),
    ],
)
def test_the_longest_common_end_of_two_paths_decides(name: str, folder: str, expected: list[str]) -> None:
    assert list(meant(name, "a.jpg", "train/a.jpg", "val/a.jpg", folder=folder)) == expected


@pytest.mark.parametrize(
    "name", ["", "/", ".", "..", "../..", "C:\\", "http://host", "http://host/", "http://[", "%", "?"]
)
def test_what_names_no_file_finds_none(name: str) -> None:
    assert Files(Path("source"), ["a.jpg", "b/c.png"]).meant(name) == Found()


def test_of_thousands_of_files_a_few_are_named() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a and b and c"
    assert listed(str(number) for number in range(5000)) == "0, 1, 2 and 4,997 more"
