"""Finds the file that an annotation means whose paths were written elsewhere: on another system, or by a server."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import parse_qs, unquote

from mobileyolo.dataset.folders import suffix
from mobileyolo.dataset.layout import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*")  # of a server; one letter would be a drive
LONGEST = 4096  # characters; Linux allows no longer path
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
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for file in sorted(self._files):
            self._by_name[_without_ending(PurePosixPath(file).name)].append(file)
        # Of names that thousands of files may have, for as many records.
        self._ends: dict[PurePosixPath, tuple[str, ...]] = {}
        self._likest: dict[tuple[str, ...], tuple[str, ...]] = {}

    def meant(self, name: str, folder: str = ".") -> Found:
        """The files that a path means which stands in a file in this folder of the source.

        A path leads to a file from this folder, from the source or from the root of the file system, or it is the end
        of that file's path. If it leads to none, the file counts whose path has the longest end in common with it: at
        least its name, where upper and lower case, Unicode's normal form and the ending of an image don't matter unless
        they have to decide.
        """
        if len(name) > LONGEST:
            return Found()
        written = PurePosixPath(name.replace("\\", "/"))
        if found := self._at(written, folder) or self._ending_in(written):
            return Found(found, exact=True)
        readings = list(dict.fromkeys(_readings(name)))
        for path in readings:
            if found := self._at(path, folder):
                return Found(found, exact=True)
        alike = {file: path for path in reversed(readings) for file in self._in_same_folder(path)}
        if not alike:
            return Found(self._of_likest_name(tuple(path.name for path in readings)))
        ranks = {file: (_common(file, path), _likeness(file, path.name)) for file, path in alike.items()}
        best = max(ranks.values())
        return Found(tuple(sorted(file for file, rank in ranks.items() if rank == best)))

    def beside(self, file: str) -> tuple[str, ...]:
        """The files in the same folder with the same name but for their endings."""
        path = PurePosixPath(file)
        alike = self._by_name.get(_without_ending(path.stem), ())
        return tuple(each for each in alike if PurePosixPath(each).parent == path.parent)

    def _at(self, path: PurePosixPath, folder: str) -> tuple[str, ...]:
        """The file that a path leads to."""
        places = [posixpath.normpath(posixpath.join(folder, path)), posixpath.normpath(path)]
        places += [posixpath.normpath(str(path)[len(root) :]) for root in self._roots if str(path).startswith(root)]
        return next(((place,) for place in places if place in self._files), ())

    def _ending_in(self, path: PurePosixPath) -> tuple[str, ...]:
        """The files whose paths end in this one."""
        if path in self._ends:
            return self._ends[path]
        alike = self._in_same_folder(path) if len(path.parts) > 1 else self._by_name.get(_without_ending(path.name), ())
        found = tuple(file for file in alike if f"/{file}".endswith(f"/{path}"))
        if len(alike) > 1:
            self._ends[path] = found
        return found

    def _in_same_folder(self, path: PurePosixPath) -> Sequence[str]:
        """Files of that name in a folder of that name: few, even if each folder has an 0001.jpg."""
        return self._by_folder.get((folded(path.parent.name), _without_ending(path.name)), ())

    def _of_likest_name(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The files whose names are most like one of these."""
        if names in self._likest:
            return self._likest[names]
        alike = {file: name for name in reversed(names) for file in self._by_name.get(_without_ending(name), ())}
        ranks = {file: _likeness(file, name) for file, name in alike.items()}
        best = max(ranks.values(), default=0)
        found = tuple(sorted(file for file, rank in ranks.items() if rank == best))
        if len(alike) > 1:
            self._likest[names] = found
        return found

    @cached_property
    def _by_folder(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, files in self._by_name.items():
            for file in files:
                if parent := PurePosixPath(file).parent.name:
                    found[folded(parent), name].append(file)
        return found


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


def _likeness(file: str, name: str) -> int:
    own = PurePosixPath(file).name
    return (own == name) + (folded(own) == folded(name))


def _common(file: str, path: PurePosixPath) -> int:
    """How many folders the ends of both paths have in common."""
    pairs = zip(reversed(PurePosixPath(file).parts[:-1]), reversed(path.parts[:-1]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: folded(pair[0]) == folded(pair[1]), pairs))
