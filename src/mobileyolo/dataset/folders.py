"""Folders of a dataset: what is in and below them, also through links. Opens no file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mobileyolo.core.errors import DatasetError


def is_folder(path: Path) -> bool:
    """Is a folder there, or a link to one?"""
    return stat.S_ISDIR(_mode(path))


def is_file(path: Path) -> bool:
    """Is a regular file there, or a link to one? A FIFO is not: opening one would wait forever."""
    return stat.S_ISREG(_mode(path))


def identity(path: Path) -> tuple[int, int]:
    """Device and inode: equal for all paths to the same folder."""
    status = path.stat()
    return status.st_dev, status.st_ino


def join(folder: str, name: str) -> str:
    """Path of a file or folder in a folder; "." is the dataset's folder itself."""
    return name if folder == "." else f"{folder}/{name}"


def suffix(name: str) -> str:
    """File extension with its dot, in lower case; "" without one."""
    return name[name.rfind(".") :].lower() if "." in name else ""


def walk(root: Path, top: str) -> Iterator[tuple[str, list[str]]]:
    """A folder and every folder below it, each with the sorted names in it; hidden ones are left out.

    Links are followed last, and each folder comes once. So a folder below the top has its own path and not that of a
    link, and links in a circle end. Paths are relative to the dataset's folder.

    Raises:
        DatasetError: a folder can't be listed.
    """
    folders, links, seen = [top], list[str](), set[tuple[int, int]]()
    while folders or links:
        folder = (folders or links).pop()
        try:
            if (found := identity(root / folder)) in seen:
                continue
            seen.add(found)
            with os.scandir(root / folder) as listing:
                entries = sorted((entry for entry in listing if entry.name[0] != "."), key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(f"{root / folder}: {error.strerror}") from None
        for entry in reversed(entries):
            if _leads_on(entry):
                (links if entry.is_symlink() else folders).append(join(folder, entry.name))
        yield folder, [entry.name for entry in entries]


def below(root: Path, path: Path, where: str) -> str:
    """Path below the dataset's folder, with forward slashes. Links inside the folder may lead anywhere.

    Raises:
        DatasetError: it lies outside of the folder.
    """
    for folder, inside in _spellings(root, path):
        if inside == folder:
            return "."
        if inside.startswith(start := folder.rstrip(os.sep) + os.sep):
            return inside.removeprefix(start).replace(os.sep, "/")
    raise DatasetError(f"{where}: lies outside {root}; DVC watches only that folder: move or link the images into it")


def _spellings(root: Path, path: Path) -> Iterator[tuple[str, str]]:
    """Folder and path as written, and then with links resolved, which is slower."""
    written = os.path.normpath(path.absolute())
    yield os.path.normpath(root.absolute()), written
    yield os.path.realpath(root), written
    yield os.path.realpath(root), os.path.realpath(path)


def _mode(path: Path) -> int:
    """File type and permissions; 0 if nothing can be reached there."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # links in a circle, names too long or with a NUL
        return 0


def _leads_on(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
