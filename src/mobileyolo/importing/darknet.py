"""Darknet's files beside labels: `obj.data`, and the lists of images that are its split."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from mobileyolo.dataset.labels import parse_line
from mobileyolo.dataset.layout import CLASSES_MB, LISTING_MB
from mobileyolo.dataset.text import read_lines
from mobileyolo.importing.filenames import Files, listed
from mobileyolo.importing.sources import Note, Part, files_below, split_called

SUFFIX = ".data"


def read_settings(root: Path) -> list[tuple[str, int, str, str]]:
    """File, line, key and value of every setting in the .data files below a folder; # and ; begin comments."""
    found = []
    for file in files_below(root, [SUFFIX]):
        for number, line in read_lines(root / file, CLASSES_MB, "Darknet's settings"):
            key, sign, value = line.partition("=")
            if sign and not line.startswith(("#", ";")):
                found.append((file, number, key.strip(), value.strip()))
    return found


def read_splits(
    root: Path, texts: Collection[str], images: Collection[str], notes: list[Note]
) -> dict[str, tuple[Part, list[str]]]:
    """The lists of images, each with its split and the images in it.

    Those that a .data file names are of the split that it says: its `valid` is often a test.txt. Others are of the
    split that they are called after. Paths in a list start where darknet was run, so only their ends have to be right.

    Args:
        root: The source.
        texts: Text files that may be lists.
        images: Image files.
        notes: Gets what is wrong.

    Raises:
        DatasetError: a list can't be read.
    """
    index = Files(root, images)
    lists: dict[str, tuple[Part, list[str]]] = {}
    for file, split in _lists(root, texts, notes).items():
        folder = str(PurePosixPath(file).parent)
        lines = list(read_lines(root / file, LISTING_MB, "list of images"))
        found = {number: index.meant(line, folder).files for number, line in lines}
        if _is_box(lines) or not any(found.values()):
            continue
        own: list[str] = []
        lists[file] = split, own
        for number, line in lines:
            if len(found[number]) == 1:
                own += found[number]
            else:
                reason = "several image files of that name" if found[number] else "listed image that is not there"
                notes.append(Note(file, f"line {number}", reason, listed(found[number]) or line))
    return lists


def _lists(root: Path, texts: Collection[str], notes: list[Note]) -> dict[str, Part]:
    """Split of every list."""
    index = Files(root, texts)
    lists: dict[str, Part] = {}
    for file, number, key, value in read_settings(root):
        split = split_called(key)
        if split is None:
            continue
        found = index.meant(value, str(PurePosixPath(file).parent)).files
        if len(found) != 1:
            notes.append(Note(file, f"line {number}", "list that is not there", f"{key} = {value}"))
        elif lists.setdefault(found[0], split) != split:
            reason = f"list that is the one of {lists[found[0]]} already"
            notes.append(Note(file, f"line {number}", reason, f"{key} = {value}"))
    for file in sorted(texts):
        split = split_called(PurePosixPath(file).stem)
        if split:
            lists.setdefault(file, split)
    return lists


def _is_box(lines: list[tuple[int, str]]) -> bool:
    """Is it a label file?"""
    try:
        parse_line(lines[0][1])
    except (ValueError, IndexError):
        return False
    return True
