"""What lies where a dataset should be: nothing, a file, or a dataset in another format. Reads names, opens no file."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.quoting import path_word
from mobileyolo.dataset.folders import is_file, is_folder, suffix

ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})
PHOTOS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
NAMES = frozenset({"_darknet.labels", "classes.txt", "notes.json", "obj.names"})
MOST_ENTRIES = 5000  # names of files and folders that are looked at
DEPTH = 4  # folders below each other that are looked into


@dataclass(frozen=True)
class Glimpse:
    """What a look at a folder's first entries showed.

    suffixes: how many files end in each suffix, hidden ones left out.
    yaml: is there a YAML file in the folder itself?
    names: is there a file that lists class names?
    complete: were all entries looked at?
    """

    suffixes: Counter[str]
    yaml: bool
    names: bool
    complete: bool


def check_place(root: Path) -> None:
    """Refuse what is no folder.

    Raises:
        DatasetError: there is nothing, or a file; the message says what to write instead.
    """
    if is_folder(root):
        return
    if is_file(root):
        if suffix(root.name) in ARCHIVES:
            raise DatasetError(f"{root}: an archive; unpack it, and name the folder that it becomes")
        raise DatasetError(f"{root}: a file; name the folder that it lies in")
    if root.parts[:1] and root.parts[0].startswith("~"):
        raise DatasetError(f"{root}: '~' is not expanded here; write {os.path.expanduser(root)}")  # noqa: PTH111
    missing = f"no such folder ({root.absolute()})" if not root.is_absolute() else "no such folder"
    raise DatasetError(f"{root}: {missing}; data.dir has to name the folder of a YOLO dataset")


def check_dvc_can_watch(root: Path) -> None:
    """Refuse a folder in which DVC (3.67) does not see every change: one with rules of its own for what to ignore.

    Where such a file hides nothing of itself, DVC only says that it should not be there; where it hides all, the folder
    is empty to DVC, and nothing would be validated or trained again.

    Raises:
        DatasetError: there is a .dvcignore in or below it.
    """
    for folder, _, names in os.walk(root):  # not through links, as DVC
        if ".dvcignore" in names:
            raise DatasetError(
                f"{Path(folder, '.dvcignore')}: with this file in data.dir, DVC can't watch the dataset; delete it, or "
                "move it above the dataset. `dvc init` writes one without any rule"
            )


def glimpse(root: Path) -> Glimpse:
    """Look at a folder and those below it, as far as MOST_ENTRIES and DEPTH go; upper folders come first."""
    suffixes: Counter[str] = Counter()
    yaml = names = False
    folders, seen = [(root, 0)], 0
    for folder, depth in folders:  # grows while it is read
        try:
            listing = os.scandir(folder)
        except OSError:
            continue
        with listing:
            for entry in listing:
                seen += 1
                if seen > MOST_ENTRIES:
                    return Glimpse(suffixes, yaml, names, complete=False)
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders += [(Path(entry.path), depth + 1)] if depth < DEPTH else []
                    continue
                suffixes[suffix(entry.name)] += 1
                yaml |= depth == 0 and suffix(entry.name) in {".yaml", ".yml"}
                names |= entry.name in NAMES
    return Glimpse(suffixes, yaml, names, complete=True)


def import_hint(root: Path, seen: Glimpse, has_splits: bool) -> str:
    """The command that makes a YOLO dataset of what lies in a folder; "" where none would help.

    Args:
        root: The folder.
        seen: What it holds.
        has_splits: Is it sorted into splits? If so, a new split is not what it lacks.
    """
    images = sum(seen.suffixes[each] for each in PHOTOS)
    if not images:
        return ""
    if seen.suffixes[".xml"]:
        return _command(root, "Pascal VOC (.xml files)", "voc")
    if 0 < seen.suffixes[".json"] < images:
        return _command(root, "COCO (.json files)", "coco")
    if seen.suffixes[".json"] and seen.suffixes[".txt"] < images:
        return _command(root, "labelme (a .json file for each image)", "labelme")
    if seen.suffixes[".txt"] and not has_splits:
        options = "" if seen.names else ' --names "<name of class 0>,<name of class 1>"'
        return _command(root, "images and YOLO labels without splits", "bare", options)
    return ""


def _command(root: Path, what: str, kind: str, options: str = "") -> str:
    source, target = (path_word(path.as_posix()) for path in (root, root.with_name(f"{root.name}-yolo")))
    return (
        f"it looks like {what}. This makes a YOLO dataset of it in a new folder, for data.dir to name:\n"
        f"  mobileyolo import {kind} {source} {target}{options}"
    )
