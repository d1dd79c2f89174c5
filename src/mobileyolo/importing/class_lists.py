"""Class names of labels that hold only numbers, from the files in which tools write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.description import Entry, class_names, read_names
from mobileyolo.dataset.folders import is_file, suffix, walk
from mobileyolo.dataset.layout import CLASSES_FILE, CLASSES_MB, DESCRIPTIONS, listed_classes
from mobileyolo.dataset.text import shortened
from mobileyolo.importing.darknet import read_settings
from mobileyolo.importing.filenames import Files, listed
from mobileyolo.importing.json_files import field, key_of, read_json, text_of
from mobileyolo.importing.sources import files_below

NAMES_SUFFIX, DARKNET_LABELS, LABEL_STUDIO = ".names", "_darknet.labels", "notes.json"
ORDER = f"{', '.join(DESCRIPTIONS)}, obj.data, {CLASSES_FILE}, obj.names, {DARKNET_LABELS}, {LABEL_STUDIO}"


def read_class_names(root: Path) -> tuple[str, ...]:
    """Class names by id: of the YAML description, else of the list that Darknet's settings name, else of any list.

    Raises:
        DatasetError: there are none, a file that has them can't be read, or lists of the same rank differ.
    """
    for rank in (_described, _set, _listed):
        found = {file: names for file, names in rank(root) if names}
        if len(set(found.values())) > 1:
            raise DatasetError(f"{root}: {listed(found)} name different classes; say which by --names a,b,c")
        if found:
            return next(iter(found.values()))
    raise DatasetError(f"{root}: no class names in {ORDER}; give them by --names a,b,c")


def _described(root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """As for a dataset that needs no import: the description has one of two names, or is the only YAML file."""
    _, names = next(walk(root, "."))
    others = [name for name in names if suffix(name) in {".yaml", ".yml"}]
    for file in [name for name in DESCRIPTIONS if name in names] or others[: len(others) == 1]:
        if is_file(root / file):
            yield file, read_names(root / file)


def _set(root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    settings = [setting for setting in read_settings(root) if setting[2] == "names"]
    index = Files(root, _list_files(root) if settings else ())
    for file, _, _, value in settings:
        for found in index.meant(value, str(PurePosixPath(file).parent)).files:
            yield found, listed_classes(root / found)


def _listed(root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for file in _list_files(root):
        name = PurePosixPath(file).name
        if name in {CLASSES_FILE, DARKNET_LABELS} or name.endswith(NAMES_SUFFIX):
            yield file, listed_classes(root / file)
    for file in files_below(root, [".json"]):
        if PurePosixPath(file).name == LABEL_STUDIO:
            yield file, _label_studio(root / file)


def _list_files(root: Path) -> list[str]:
    return files_below(root, [".txt", NAMES_SUFFIX, PurePosixPath(DARKNET_LABELS).suffix])


def _label_studio(file: Path) -> tuple[str, ...]:
    """Names of `{"categories": [{"id": 0, "name": "cat"}]}`; none if it is something else."""
    records = field(read_json(file, CLASSES_MB, "Label Studio's notes"), "categories")
    if not isinstance(records, list):
        return ()
    names = {key_of(record, "id"): text_of(record, "name") for record in records}
    if len(names) != len(records) or set(names) != set(range(len(records))):
        raise DatasetError(f"{file}: categories: expected the ids 0 to {len(records) - 1}, each once")
    return class_names(
        Entry(names[number], f"{file}: category {number}: {shortened(repr(names[number]))}")
        for number in range(len(records))
    )
