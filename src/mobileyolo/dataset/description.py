"""The YAML file that describes a dataset.

YAML nodes are read, not values: nodes know their lines, keep duplicate keys, and create no objects.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.records import SPLITS, Split
from mobileyolo.dataset.text import plain, read_text, refuse_control, shortened

# What others call the splits: keys of a data.yaml, folders, lists and annotation files. The first is our own name.
SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    # COCO 2014's images for validation without minival, which Detectron trained on: valminusminival.
    "train": ("train", "training", "trainset", "valminusminival"),
    "val": ("val", "validation", "valid", "valset", "dev", "minival"),
    "test": ("test", "testing", "testset"),
}
DESCRIPTION_MB = 1
CHANNELS = 3  # Ultralytics' default for the key of that name
CLASSES = 30_000  # ImageNet has 22,000; every table and chart of a dataset has one row for each
STR, INT, FLOAT, BOOL, NULL, TIME, MERGE, LIST, MAPPING = (
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "seq", "map")
)
CLASS_ID = re.compile(r"0|[1-9][0-9]{0,4}")
PLAIN_INT = re.compile(r"0|-?[1-9][0-9]*")  # YAML 1.1 reads 010 as 8 and 1_0 as 10


@dataclass(frozen=True)
class Entry:
    """A text in the description; `where` has file, line, key and the text itself, for messages."""

    text: str
    where: str


@dataclass(frozen=True)
class Description:
    """What the YAML file says.

    base: the key `path`, the folder that entries are relative to; None for the folder of the file.
    entries: by split, its folders of images and lists of images.
    names: class names by id.
    """

    base: Entry | None
    entries: dict[Split, tuple[Entry, ...]]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """The value of a key, or an item of a list; line is 1-based, that of the key if there is one."""

    file: Path
    line: int
    name: str  # of the key
    node: yaml.Node

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        """File, line, key and value, for messages; aliases are not expanded."""
        return f"{self.place}: {self.name}: {_shown(self.node)}"

    @property
    def is_empty(self) -> bool:
        """Is there no value, an empty text or an empty list?"""
        return self.node.tag == NULL or (not self.node.value and self.node.tag in {STR, LIST})

    def items(self) -> list[Value]:
        """The list's items, or the value itself if it is not a list."""
        if self.node.tag != LIST or not isinstance(self.node, yaml.SequenceNode):
            return [self]
        return [Value(self.file, _line(node), self.name, node) for node in self.node.value]

    def keys(self) -> dict[str, Value]:
        """The mapping's values by key.

        Raises:
            DatasetError: a key is there twice, or is not a plain text.
        """
        found: dict[str, Value] = {}
        for key, node in self.node.value:
            place = f"{self.file}:{_line(key)}"
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
                raise DatasetError(
                    f"{place}: {_shown(key)}: not a plain key; write every key as text, without << and lists"
                )
            name = key.value
            if name in found:
                first = found[name].line
                raise DatasetError(
                    f"{place}: {plain(name)}: is in line {first} already, and YAML would silently use the last one; "
                    "delete one"
                )
            found[name] = Value(self.file, _line(key), plain(name), node)
        return found

    def entry(self, expected: str) -> Entry:
        """The value as a path.

        Raises:
            DatasetError: it is not a text, or has a control character.
        """
        if self.node.tag != STR or not isinstance(self.node, yaml.ScalarNode):
            raise DatasetError(f"{self}: expected {expected}; numbers need quotes")
        refuse_control(str(self), self.node.value)
        return Entry(self.node.value, str(self))


def read_description(file: Path) -> Description:
    """Read a dataset's YAML file.

    Raises:
        DatasetError: it can't be read, is not YAML, or contradicts itself; the message names the line.
    """
    keys = _keys(file)
    if "kpt_shape" in keys and not keys["kpt_shape"].is_empty:
        raise DatasetError(f"{keys['kpt_shape']}: this is a pose dataset; only boxes and polygons are read")
    channels = keys.get("channels")
    if channels is not None and not channels.is_empty and _number(channels.node) != CHANNELS:
        raise DatasetError(
            f"{channels}: not supported; images are read with {CHANNELS} channels, grey ones too, and both arms "
            "are built for that; delete the key"
        )
    path = keys.get("path")
    base = None if path is None or path.is_empty else path.entry("the folder that other paths start at")
    return Description(base, _entries(file, keys), _names(file, keys))


def read_names(file: Path) -> tuple[str, ...]:
    """Class names of a dataset's YAML file that need not say where images are; none if it has no names.

    Raises:
        DatasetError: it can't be read, is not YAML, or its names contradict themselves; the message names the line.
    """
    keys = _keys(file)
    return _names(file, keys) if "names" in keys else ()


def class_names(found: Iterable[Entry]) -> tuple[str, ...]:
    """Class names in the order of their ids.

    Raises:
        DatasetError: one is empty, equals another, or has a control character other than a tab or a line end; or
            there are more than CLASSES.
    """
    names: dict[str, str] = {}
    for entry in found:
        refuse_control(entry.where, entry.text)
        if not entry.text.strip():
            raise DatasetError(f"{entry.where}: class {len(names)} has no name")
        if entry.text in names:
            raise DatasetError(
                f"{entry.where}: two classes have this name, the other in {names[entry.text]}; rename one, or give "
                "their boxes one id"
            )
        if len(names) == CLASSES:
            raise DatasetError(f"{entry.where}: there are more than {CLASSES:,} class names")
        names[entry.text] = entry.where
    return tuple(names)


def _keys(file: Path) -> dict[str, Value]:
    root = _compose(file)
    if root is None or root.tag != MAPPING or not isinstance(root, yaml.MappingNode):
        found = "an empty file" if root is None else _shown(root)
        raise DatasetError(
            f"{file}:{_line(root) if root else 1}: expected the keys train, val and names, found {found}"
        )
    return Value(file, _line(root), "", root).keys()


def _compose(file: Path) -> yaml.Node | None:
    text = read_text(file, DESCRIPTION_MB, "dataset's description")
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DatasetError(f"{file}:{line}: not YAML: has the control character {text[error.position]!r}") from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = "; ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else 1
        raise DatasetError(f"{file}:{line}: not YAML: {shortened(reason, 200)}") from None
    except RecursionError:
        raise DatasetError(f"{file}:{loader.line + 1}: nested too deeply for a dataset's description") from None
    except (ValueError, OverflowError) as error:  # PyYAML 6: an escape or a version that is too large
        raise DatasetError(f"{file}:{loader.line + 1}: not YAML: {shortened(str(error))}") from None


def _entries(file: Path, keys: dict[str, Value]) -> dict[Split, tuple[Entry, ...]]:
    entries: dict[Split, tuple[Entry, ...]] = {}
    for split in SPLITS:
        there = [keys[name] for name in SPLIT_NAMES[split] if name in keys]
        named = [value for value in there if not value.is_empty]
        if named:
            expected = "a folder of images, or a .txt file that lists images"
            entries[split] = tuple(item.entry(expected) for item in named[0].items())
        elif split != "test":
            place = there[0].place if there else file
            state = "is empty" if there else "is missing"
            raise DatasetError(f"{place}: the key {split!r} {state}; it names the folder of that split's images")
    return entries


def _names(file: Path, keys: dict[str, Value]) -> tuple[str, ...]:
    value, count = keys.get("names"), keys.get("nc")
    if count is not None and (value is None or value.node.tag == NULL):
        return tuple(f"class_{class_id}" for class_id in range(_class_count(count)))  # as Ultralytics calls them
    if value is None:
        raise DatasetError(f"{file}: the key 'names' is missing; it lists the class names")
    if value.node.tag == MAPPING and isinstance(value.node, yaml.MappingNode):
        by_key = value.keys()
        by_id = {int(key): item for key, item in by_key.items() if CLASS_ID.fullmatch(key)}
        if len(by_id) != len(by_key) or by_id.keys() != set(range(len(by_id))):
            listed = plain(", ".join(by_key))
            raise DatasetError(f"{value.place}: names: ids {listed}: expected 0 to {len(by_key) - 1}, each once")
        items = [by_id[class_id] for class_id in range(len(by_id))]
    else:
        items = value.items() if value.node.tag == LIST else []
    if not items:
        raise DatasetError(f"{value}: expected a list of class names, or id: name pairs")
    names = class_names(Entry(_name(item), str(item)) for item in items)
    if count is not None and not count.is_empty and _number(count.node) != len(names):
        raise DatasetError(f"{count}: but names has {len(names)}; fix one of them, or delete nc")
    return names


def _class_count(count: Value) -> int:
    number = _number(count.node)
    if not number.is_integer() or not 1 <= number <= CLASSES:
        raise DatasetError(f"{count}: expected a number of classes, 1 to {CLASSES:,}; or list their names as names")
    return int(number)


def _name(item: Value) -> str:
    node = item.node
    # Without quotes, YAML reads `no`, `1.0` or 010 as false, a float or 8, and not as the text that was written.
    if isinstance(node, yaml.ScalarNode) and (node.tag == STR or (node.tag == INT and PLAIN_INT.fullmatch(node.value))):
        return str(node.value)
    raise DatasetError(f"{item}: not a text; put the class name in quotes")


def _number(node: yaml.Node) -> float:
    try:
        return float(node.value) if node.tag in {STR, INT, FLOAT} else math.nan
    except (TypeError, ValueError):
        return math.nan


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(node: yaml.Node) -> str:
    """A node in a few words; the items of a list are only counted, because aliases can repeat them endlessly."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag == STR:
            return shortened(repr(node.value))
        if node.tag in {INT, FLOAT, BOOL, NULL, TIME, MERGE}:
            return plain(node.value) or "nothing"
        return shortened(repr(f"{node.tag} {node.value}"))
    kind = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
    return f"a {kind} of {len(node.value)}" if node.value else f"an empty {kind}"
