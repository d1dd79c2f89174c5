"""Labels whose names are spelt otherwise than those of their images (pure)."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote


@dataclass(frozen=True)
class Spellings:
    """Label files that differ from the expected name in nothing but its spelling.

    paired: by image, its label file, where there is one such image and one such file.
    ambiguous: by image, its possible label files, where there are several images or files.
    """

    paired: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def labels(self) -> set[str]:
        """All these label files."""
        return {*self.paired.values(), *(label for labels in self.ambiguous.values() for label in labels)}


def spelling(path: str) -> str:
    r"""Equal for paths that mean the same name to a reader.

    Archives from macOS hold names in another Unicode normal form, tools for labelling percent-encode them, and other
    systems do not tell upper from lower case.

    >>> spelling("labels/Cafe\u0301%201.TXT") == spelling("labels/caf\u00e9 1.txt")
    True
    """
    if path.isascii() and "%" not in path:
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", unquote(path)).casefold())


def other_spellings(expected: Mapping[str, str], labels: Iterable[str]) -> Spellings:
    """Pair the images that have no label file with the label files that have no image.

    Args:
        expected: By image, the label file that it should have and has not.
        labels: Label files that are no image's by their name.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        found[spelling(label)].append(label)
    wanted: dict[str, list[str]] = defaultdict(list)
    for image, label in expected.items():
        wanted[spelling(label)].append(image)
    paired: dict[str, str] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    for key in wanted.keys() & found.keys():
        if len(wanted[key]) == len(found[key]) == 1:
            paired[wanted[key][0]] = found[key][0]
        else:
            ambiguous |= dict.fromkeys(wanted[key], tuple(found[key]))
    return Spellings(paired, ambiguous)
