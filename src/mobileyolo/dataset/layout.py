"""Where a YOLO detection dataset keeps its images, labels and class names. Reads, never writes."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mobileyolo.artifacts import SPLITS, Split
from mobileyolo.errors import DatasetError

DESCRIPTIONS = ("data.yaml", "dataset.yaml")
CLASSES_FILE = "classes.txt"
SPLIT_NAMES: dict[Split, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
BARE_LAYOUTS = ("{split}/images", "images/{split}")
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"})
UNSUPPORTED_SUFFIXES = frozenset({".avif", ".dng", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jxl", ".pfm"})

EITHER_LAYOUT = """either of these layouts will do:
  data.yaml with the keys train, val, test (folders of images) and names; labels beside images/ in labels/
  train/images train/labels val/images val/labels [test/images test/labels], class names in classes.txt"""


@dataclass(frozen=True)
class Layout:
    """What a dataset folder holds.

    names: class names by id.
    images: for each split that the dataset has, its images' paths below the folder, with forward slashes, sorted.
    """

    names: tuple[str, ...]
    images: dict[Split, tuple[str, ...]]
    labels: tuple[str, ...] = ()


def find_layout(root: Path) -> Layout:
    """Find the splits and class names of the dataset in a folder, by its YAML file or else by its folders' names.

    Raises:
        DatasetError: there is no such folder, it holds no known layout, or its YAML file contradicts itself, names
            something that does not exist, or points outside the folder.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; data.dir has to name the folder of a YOLO dataset")
    description = _find_description(root)
    if description is None:
        return _bare(root)
    data = _read_description(description)
    base = _base(description, data)
    images = {split: _described_images(root, description, base, data, split) for split in SPLITS}
    for split in ("train", "val"):
        if images[split] is None:
            raise DatasetError(f"{description}: no key {split!r}; it names the folder of that split's images")
    return Layout(_described_names(description, data), {s: found for s, found in images.items() if found is not None})


def label_of(image: str) -> str:
    """Path of an image's label file, as Ultralytics derives it: the last folder `images` becomes `labels`."""
    head, images, tail = f"/{image}".rpartition("/images/")
    path = f"{head}/labels/{tail}" if images else f"/{image}"
    return f"{posixpath.splitext(path)[0]}.txt"[1:]


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, with or without a byte order mark.

    Raises:
        DatasetError: it can't be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not readable as UTF-8 text: {error}") from None


def _find_description(root: Path) -> Path | None:
    """The YAML file that describes the dataset, if there is one."""
    for name in DESCRIPTIONS:
        if (root / name).is_file():
            return root / name
    found = sorted(path for path in root.iterdir() if path.suffix in {".yaml", ".yml"} and path.is_file())
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise DatasetError(f"{root}: which of {listed} describes the dataset? Name that one data.yaml")
    return found[0] if found else None


def _read_description(description: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(read_text(description))
    except yaml.YAMLError as error:
        raise DatasetError(f"{description}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise DatasetError(f"{description}: expected the keys train, val and names, found {type(data).__name__}")
    if data.get("kpt_shape") is not None:
        raise DatasetError(f"{description}: kpt_shape: this is a pose dataset; only boxes and polygons are read")
    return data


def _base(description: Path, data: dict[str, Any]) -> Path:
    """Folder that the entries of the YAML file start from."""
    path = data.get("path") or "."
    base = description.parent / str(path)
    if not base.is_dir():
        # Ultralytics would go on to look in the working directory and its own datasets folder.
        raise DatasetError(f"{description}: path: {path!r}: no such folder; without this key paths start at the file")
    return base


def _described_names(description: Path, data: dict[str, Any]) -> tuple[str, ...]:
    names = data.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise DatasetError(f"{description}: names: ids {list(names)}: expected 0 to {len(names) - 1}, each once")
        names = [names[class_id] for class_id in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DatasetError(f"{description}: names: {names!r}: expected a list of class names, or id: name pairs")
    for name in names:
        # A bare `no` or `1.0` in YAML is no text, and its spelling is lost.
        if not isinstance(name, str) and type(name) is not int:
            raise DatasetError(f"{description}: names: {name!r}: put the name in quotes")
    count = data.get("nc")
    if count is not None and count != len(names):
        raise DatasetError(f"{description}: nc: {count!r}: but names has {len(names)}; mend one or delete nc")
    return tuple(str(name) for name in names)


def _described_images(
    root: Path, description: Path, base: Path, data: dict[str, Any], split: Split
) -> tuple[str, ...] | None:
    """Images of one split, or None where the YAML file does not name the split."""
    key = next((name for name in SPLIT_NAMES[split] if data.get(name)), None)
    if key is None:
        return None
    entries = data[key] if isinstance(data[key], list) else [data[key]]
    images: set[str] = set()
    for entry in entries:
        where = f"{description}: {key}: {entry!r}"
        if not isinstance(entry, str):
            raise DatasetError(f"{where}: expected a folder of images, or a .txt file that lists images")
        path = base / entry
        if not path.exists() and entry.startswith("../"):
            path = base / entry.removeprefix("../")  # Roboflow writes its paths so, and Ultralytics reads them so
        inside = root / _below(root, path, where)
        if inside.is_dir():
            images.update(_images_in(root, inside))
        elif inside.suffix == ".txt" and inside.is_file():
            images.update(_images_listed(root, inside, base))
        else:
            raise DatasetError(f"{where}: no folder and no .txt file at {inside}")
    return tuple(sorted(images))


def _images_in(root: Path, folder: Path) -> Iterator[str]:
    """Images in a folder and below it; hidden ones (`._a.jpg` of macOS) are none, as for Ultralytics."""
    seen: set[Path] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = Path(parent).resolve()
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                image = Path(parent, name).relative_to(root).as_posix()
                try:
                    image.encode()
                except UnicodeEncodeError:
                    raise DatasetError(f"{root}: {image!r}: the file's name is not UTF-8; rename it") from None
                yield image


def _images_listed(root: Path, listing: Path, base: Path) -> Iterator[str]:
    """Images that a text file lists: `./` means beside that file, other relative paths start at the base."""
    for number, line in enumerate(read_text(listing).splitlines(), start=1):
        entry = line.strip()
        if not entry:
            continue
        if Path(entry).suffix.lower() not in IMAGE_SUFFIXES:
            raise DatasetError(
                f"{listing}:{number}: {entry!r}: no image; known are {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        start = listing.parent if entry.startswith("./") else base
        yield _below(root, start / entry, f"{listing}:{number}: {entry!r}")


def _below(root: Path, path: Path, where: str) -> str:
    """Path below the dataset folder, with forward slashes. Links inside the folder may lead anywhere."""
    folder, inside = Path(os.path.normpath(root.absolute())), Path(os.path.normpath(path.absolute()))
    if not inside.is_relative_to(folder):
        folder, inside = root.resolve(), path.resolve()
    if not inside.is_relative_to(folder):
        raise DatasetError(
            f"{where}: lies outside {root}; DVC watches only that folder: move or link the images into it"
        )
    return inside.relative_to(folder).as_posix()


def _bare(root: Path) -> Layout:
    """The layout that needs no YAML file."""
    for pattern in BARE_LAYOUTS:
        folders: dict[Split, Path] = {}
        for split, names in SPLIT_NAMES.items():
            found = [folder for name in names if (folder := root / pattern.format(split=name)).is_dir()]
            if found:
                folders[split] = found[0]
        if "train" in folders and "val" in folders:
            images = {split: tuple(sorted(_images_in(root, folder))) for split, folder in folders.items()}
            return Layout(_bare_names(root, folders.values()), images)
    raise DatasetError(
        f"{root}: no YOLO dataset: looked for {', '.join(DESCRIPTIONS)}, any single YAML file, and the folders "
        f"train/images with val/images or valid/images, and images/train with images/val or images/valid; "
        f"{EITHER_LAYOUT}"
    )


def _bare_names(root: Path, folders: Iterable[Path]) -> tuple[str, ...]:
    """Class names, one a line, from classes.txt at the root or in a labels folder."""
    labels = (root / label_of(f"{folder.relative_to(root).as_posix()}/{CLASSES_FILE}") for folder in folders)
    candidates = dict.fromkeys([root / CLASSES_FILE, root / "labels" / CLASSES_FILE, *labels])
    found = {path: _lines(path) for path in candidates if path.is_file()}
    if not any(found.values()):
        looked = ", ".join(path.relative_to(root).as_posix() for path in candidates)
        raise DatasetError(f"{root}: no class names: put them, one a line, into one of {looked}, or write a data.yaml")
    if len(set(found.values())) > 1:
        raise DatasetError(f"{' and '.join(map(str, found))} name different classes; mend or delete all but one")
    return next(iter(found.values()))


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
