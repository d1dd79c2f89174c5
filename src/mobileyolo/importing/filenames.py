"""Finds the file that an annotation means whose paths were written elsewhere: on another system, or by a server."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import parse_qs, unquote

from mobileyolo.dataset.folders import suffix
from mobileyolo.dataset.layout import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*")  # of a server; one letter would be a drive
SHOWN_FILES = 3
NOT_EXACT = "path that is not here, taken as the image of that name"  # reason of a note


@dataclass(frozen=True)
class Found:
    """The files that a path may mean.

    files: none, one, or several between which the path does not decide.
    exact: is the path, as it is written, one of the file or the end of one?
    """

    files: tuple[str, ...] = ()
    exact: bool = False


class Files:
    r"""Files of the source, to be found by what others call them. Never finds another file than these.

    >>> files = Files(Path("source"), ["images/a.JPG", "images/b.jpg", "more/b.jpg"])
    >>> files.meant(r"D:\data\a.jpg").files
    ('images/a.JPG',)
    >>> files.meant("http://host/more/b.jpg?size=1").files
    ('more/b.jpg',)
    >>> files.meant("b.jpg").files
    ('images/b.jpg', 'more/b.jpg')
    """

    def __init__(self, root: Path, files: Iterable[str]) -> None:
        self._files = frozenset(files)
        self._roots = {f"{path.as_posix().rstrip('/')}/" for path in (root.absolute(), root.resolve())}
        self._undecided: dict[tuple[str, str], Found] = {}  # thousands of files for each of thousands of records
        self._by_name: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for file in sorted(self._files):
            parts = PurePosixPath(file).parts
            self._by_name[_without_ending(parts[-1])].append(parts)

    def meant(self, name: str, folder: str = ".") -> Found:
        """The files that a path means which stands in a file in this folder of the source.

        A path that leads to a file does so from this folder, from the source, or from the root of the file system. If
        it leads to none, the file counts whose path has the longest end in common with it: at least its name, where
        upper and lower case, Unicode's normal form and the ending of an image don't matter unless they have to decide.
        """
        if (name, folder) in self._undecided:
            return self._undecided[name, folder]
        readings = list(dict.fromkeys(_readings(name)))
        for path in readings:
            for place in self._places(str(path), folder):
                if place in self._files:
                    return Found((place,), exact=True)
        ranks: dict[str, tuple[int, int]] = {}
        for path in readings:
            for file in self._alike(path.parts):
                likeness = (file[-1] == path.name) + (folded(file[-1]) == folded(path.name))
                rank = (_common(file, path.parts), likeness)
                ranks["/".join(file)] = max(ranks.get("/".join(file), rank), rank)
        best = max(ranks.values(), default=None)
        found = tuple(sorted(file for file, rank in ranks.items() if rank == best))
        written = PurePosixPath(name.replace("\\", "/")).parts
        exact = all(PurePosixPath(file).parts[-len(written) :] == written for file in found)
        result = Found(found, exact and bool(found))
        if len(found) > 1:
            self._undecided[name, folder] = result
        return result

    def _alike(self, parts: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
        """Files of that name in a folder of that name, or else in any: few, even if each folder has an 0001.jpg."""
        name = _without_ending(parts[-1])
        same_folder = self._by_folder.get((folded(parts[-2]), name), ()) if len(parts) > 1 else ()
        return same_folder or self._by_name.get(name, ())

    @cached_property
    def _by_folder(self) -> dict[tuple[str, str], list[tuple[str, ...]]]:
        found: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
        for name, files in self._by_name.items():
            for file in files:
                if len(file) > 1:
                    found[folded(file[-2]), name].append(file)
        return found

    def beside(self, file: str) -> tuple[str, ...]:
        """The files in the same folder with the same name but for their endings."""
        path = PurePosixPath(file)
        alike = self._by_name.get(_without_ending(path.stem), ())
        return tuple("/".join(parts) for parts in alike if parts[:-1] == path.parts[:-1])

    def _places(self, path: str, folder: str) -> Iterator[str]:
        """Where a path leads, below the source."""
        yield posixpath.normpath(posixpath.join(folder, path))
        yield posixpath.normpath(path)
        for root in self._roots:
            if path.startswith(root):
                yield posixpath.normpath(path.removeprefix(root))


def folded(name: str) -> str:
    """Equal for two names that would be the same file on some systems."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def listed(files: Iterable[str]) -> str:
    """The first few files, and how many more there are."""
    found = list(files)
    more = f" and {len(found) - SHOWN_FILES:,} more" if len(found) > SHOWN_FILES else ""
    return " and ".join(found) if not more else ", ".join(found[:SHOWN_FILES]) + more


def _readings(name: str) -> Iterator[PurePosixPath]:
    """A path as written; then as Windows, a browser and a server would read it. Without those that name no file."""
    for path in map(PurePosixPath, _paths(name)):
        if path.name not in {"", ".."}:
            yield path


def _paths(name: str) -> Iterator[str]:
    address = ADDRESS.match(name)
    if not address:
        yield name
        yield _from_windows(name)
    path, _, query = name[address.end() if address else 0 :].partition("#")[0].partition("?")
    path = _from_windows(unquote(path))
    yield path
    if suffix(path) not in IMAGE_SUFFIXES:  # Label Studio's /data/local-files/?d=images/a.jpg
        for values in parse_qs(query).values():
            yield from map(_from_windows, values)


def _from_windows(name: str) -> str:
    """The path with slashes; a drive is a folder, as in D:a.jpg."""
    path = PureWindowsPath(name)
    anchor = path.anchor.replace("\\", "/").rstrip("/")
    return "/".join([anchor, *path.parts[1:]]) if path.anchor else path.as_posix()


def _without_ending(name: str) -> str:
    name = folded(name)
    ending = suffix(name)
    return name.removesuffix(ending) if ending in IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES else name


def _common(file: tuple[str, ...], parts: tuple[str, ...]) -> int:
    """How many parts the ends of both paths have in common; their names count as equal."""
    count = 1
    for ours, theirs in zip(file[-2::-1], parts[-2::-1], strict=False):
        if folded(ours) != folded(theirs):
            break
        count += 1
    return count
