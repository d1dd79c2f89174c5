"""Where a YOLO detection dataset keeps its images, labels and class names. Reads, never writes."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.records import Split
from mobileyolo.dataset.description import SPLIT_NAMES, Description, Entry, class_names, read_description
from mobileyolo.dataset.folders import below, identity, is_file, is_folder, join, suffix, walk
from mobileyolo.dataset.labels import read_label
from mobileyolo.dataset.location import Glimpse, check_dvc_can_watch, check_place, glimpse, import_hint
from mobileyolo.dataset.pairing import spelling
from mobileyolo.dataset.text import plain, read_lines, shortened

DESCRIPTIONS = ("data.yaml", "dataset.yaml")
CLASSES_FILE = "classes.txt"
BARE_LAYOUTS = ("{split}/images", "images/{split}")
# By file extension; MPO is JPEG with more than one picture.
IMAGE_FORMATS = {".bmp": "BMP", ".jpeg": "JPEG", ".jpg": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".webp": "WEBP"}
IMAGE_FORMATS |= {".tif": "TIFF", ".tiff": "TIFF"}
IMAGE_SUFFIXES = frozenset(IMAGE_FORMATS)
# Images that no decoder here can read: they are reported, not skipped silently.
UNSUPPORTED_SUFFIXES = frozenset(
    {".apng", ".arw", ".avif", ".avifs", ".cr2", ".cr3", ".dib", ".dng", ".exr", ".gif", ".hdr", ".heic", ".heif"}
    | {".hif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpx", ".jxl", ".nef", ".pbm", ".pfm", ".pgm", ".pnm", ".ppm", ".tga"}
)
LISTING_MB = 256  # millions of images
CLASSES_MB = 1

EITHER_LAYOUT = """either of these layouts will do:
  data.yaml with the keys train, val, test (folders of images) and names; labels beside images/ in labels/
  train/images train/labels val/images val/labels [test/images test/labels], class names in classes.txt"""


@dataclass(frozen=True)
class Layout:
    """What a dataset folder holds. Paths are relative to the folder, with forward slashes, sorted.

    names: class names by id.
    images: by split, everything with the extension of an image; it may be unreadable or even a folder.
    labels: the label files of these images, and others that may be labels whose image is missing; see `_labels`.
    absent: splits that need not be there, which the YAML file declares where nothing is; the text says so.
    """

    names: tuple[str, ...]
    images: dict[Split, tuple[str, ...]]
    labels: tuple[str, ...]
    absent: dict[Split, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitPlaces:
    """Where the images of a split are: in and below folders, and listed one by one."""

    folders: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)


def find_layout(root: Path) -> Layout:
    """Find the splits and class names of the dataset in a folder, by its YAML file or else by the names of its folders.

    Raises:
        DatasetError: there is no such folder, it holds no known layout, or its YAML file contradicts itself, names
            something that does not exist, or points outside the folder.
    """
    check_place(root)
    file = _find_description(root)
    absent: dict[Split, str] = {}
    if file is None:
        names, sources = _bare(root)
    else:
        description = read_description(file)
        names, (sources, absent) = description.names, _described(root, file, description)
    images = {
        split: {*source.listed, *(image for folder in source.folders for image in images_in(root, folder))}
        for split, source in sources.items()
    }
    folders = {folder for source in sources.values() for folder in source.folders}
    labels = set(_labels(root, folders, set().union(*images.values())))
    images_by_split = {split: _sorted(root, found) for split, found in images.items()}
    return Layout(names, images_by_split, _sorted(root, labels), absent)


def check_data_dir(root: Path) -> None:
    """Refuse a place that holds no YOLO dataset, by a quick look at a limited number of names.

    If in doubt, it passes: `find_layout` decides.

    Raises:
        DatasetError: there is no such folder, it holds another format (the message names the command that helps), or
            DVC can't watch it.
    """
    check_place(root)
    check_dvc_can_watch(root)
    if any((root / name).exists() for name in DESCRIPTIONS) or _bare_folders(root):
        return
    seen = glimpse(root)
    if seen.complete and not seen.yaml:
        raise DatasetError(_no_dataset(root, seen))


def label_of(image: str) -> str:
    """Path of an image's label file, as Ultralytics derives it: the last folder `images` becomes `labels`."""
    head, images, tail = f"/{image}".rpartition("/images/")
    path = f"{head}/labels/{tail}"[1:] if images else image
    return f"{posixpath.splitext(path)[0]}.txt"


def image_folder_of(label: str) -> str:
    """Folder of the image that a label file belongs to: the reverse of `label_of`."""
    head, labels, tail = f"/{posixpath.dirname(label)}/".rpartition("/labels/")
    return (f"{head}/images/{tail}" if labels else f"/{posixpath.dirname(label)}").strip("/") or "."


def _find_description(root: Path) -> Path | None:
    """The YAML file that describes the dataset, if there is one."""
    _, names = next(walk(root, "."))
    for name in DESCRIPTIONS:
        if name in names:  # even if it is a folder or a broken link: reading it will say so
            return root / name
    found = [name for name in names if suffix(name) in {".yaml", ".yml"} and is_file(root / name)]
    if len(found) > 1:
        raise DatasetError(f"{root}: which of {', '.join(found)} describes the dataset? Name that one data.yaml")
    return root / found[0] if found else None


def _described(root: Path, file: Path, description: Description) -> tuple[dict[Split, SplitPlaces], dict[Split, str]]:
    """Where the images are, by the YAML file; and why a declared test split is not there."""
    base = file.parent
    if description.base is not None:
        base /= description.base.text
        if not is_folder(base):
            # Ultralytics would also look in the working directory and in its own datasets folder.
            raise DatasetError(f"{description.base.where}: no such folder; without this key paths start at the file")
    sources: dict[Split, SplitPlaces] = {}
    absent: dict[Split, str] = {}
    for split, entries in description.entries.items():
        paths = [(entry.where, _path_of(base, entry)) for entry in entries]
        nowhere = [_nothing_at(where, path) for where, path in paths if not is_folder(path) and not is_file(path)]
        if nowhere and split == "test":  # as in Ultralytics' check, as long as no stage measures on it
            absent[split] = nowhere[0]
            continue
        sources[split] = source = SplitPlaces()
        for where, path in paths:
            if is_folder(path):
                source.folders.append(below(root, path, where))
            elif path.suffix == ".txt" and is_file(path):
                listing = root / below(root, path, where)
                source.listed.extend(_images_listed(root, listing, base))
            else:
                raise DatasetError(_nothing_at(where, path))
    return sources, absent


def _nothing_at(where: str, path: Path) -> str:
    return f"{where}: neither a folder nor a .txt file at {plain(str(path), 300)}"


def _path_of(base: Path, entry: Entry) -> Path:
    path = base / entry.text
    if not is_folder(path) and not is_file(path) and entry.text.startswith("../"):
        # Roboflow writes its paths so, and Ultralytics reads them so.
        return base / entry.text.removeprefix("../")
    return path


def images_in(root: Path, folder: str) -> Iterator[str]:
    """Images in and below a folder, if it exists; without hidden ones (`._a.jpg` of macOS), as in Ultralytics."""
    for parent, names in walk(root, folder) if is_folder(root / folder) else ():
        for name in names:
            if suffix(name) in IMAGE_SUFFIXES or suffix(name) in UNSUPPORTED_SUFFIXES:
                yield join(parent, name)


def _images_listed(root: Path, listing: Path, base: Path) -> Iterator[str]:
    """Images that a text file lists: paths with `./` are relative to that file, others to the base."""
    for number, entry in read_lines(listing, LISTING_MB, "list of images"):
        if suffix(entry) not in IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES:
            raise DatasetError(
                f"{listing}:{number}: {shortened(repr(entry))}: not an image; "
                f"known extensions are {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        start = listing.parent if entry.startswith("./") else base
        yield below(root, start / entry, f"{listing}:{number}: {shortened(repr(entry))}")


def _labels(root: Path, folders: Iterable[str], images: Iterable[str]) -> Iterator[str]:
    """Label files that belong to folders of images, or to the folders of listed images.

    Not everything that ends in .txt is a label file. In a folder that holds nothing but labels, it is. Elsewhere:

    - `images/a.jpg images/a.txt images/readme.txt`: labels beside their images. `a.txt` has an image; `readme.txt` has
      none, and counts only if its first line is a box, so that a label whose image is missing is still reported.
    - `train/labels` and `val/labels` are links to one folder: each of them lists the labels of both splits. Only those
      with an image are listed, so that no label is called an orphan because its image is in the other split.
    """
    images_in_folder: dict[str, list[str]] = {}
    for image in images:
        images_in_folder.setdefault(_folder(image), []).append(image)
    names = _names_in_label_folders(root, folders, images_in_folder)
    shared = _reached_twice(root, names)
    undecided = shared | images_in_folder.keys()  # folders where not every .txt is a label of ours
    of_images = {
        label_of(image)
        for folder, own in images_in_folder.items()
        if _label_folder(folder) in undecided
        for image in own
    }
    listed = {join(folder, name) for folder in undecided & names.keys() for name in names[folder]}
    unmatched = {spelling(label) for label in of_images - listed}
    for folder, found in names.items():
        for label in (join(folder, name) for name in found if suffix(name) == ".txt" and name != CLASSES_FILE):
            is_label = folder not in undecided or label in of_images or spelling(label) in unmatched
            if is_label or (folder not in shared and _begins_with_a_box(root / label)):
                yield label


def _names_in_label_folders(root: Path, folders: Iterable[str], image_folders: Iterable[str]) -> dict[str, list[str]]:
    """What lies in each label folder: those of folders of images with all below them, those of listed images alone."""
    names: dict[str, list[str]] = {}
    for folder in folders:
        labels = _label_folder(folder)
        if labels != folder and is_folder(root / labels):
            names.update(walk(root, labels))
    for labels in {_label_folder(folder) for folder in image_folders} - names.keys():
        if is_folder(root / labels):
            names.update([next(walk(root, labels))])
    return names


def _reached_twice(root: Path, folders: Iterable[str]) -> set[str]:
    """The folders that links make one and the same."""
    identities = {folder: identity(root / folder) for folder in folders}
    times = Counter(identities.values())
    return {folder for folder, found in identities.items() if times[found] > 1}


def _folder(image: str) -> str:
    return image.rpartition("/")[0] or "."


def _label_folder(folder: str) -> str:
    return _folder(label_of(join(folder, "image.jpg")))


def _begins_with_a_box(path: Path) -> bool:
    lines = read_label(path)
    return bool(lines) and lines[0].parse_error is None


def _sorted(root: Path, paths: Collection[str]) -> tuple[str, ...]:
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise DatasetError(f"{root}: {path!r}: the file's name is not UTF-8; rename it") from None
    return tuple(sorted(paths))


def _bare(root: Path) -> tuple[tuple[str, ...], dict[Split, SplitPlaces]]:
    """Class names and places of the layout that needs no YAML file."""
    folders = _bare_folders(root)
    if not folders:
        raise DatasetError(_no_dataset(root, glimpse(root)))
    return _bare_names(root, folders.values()), {split: SplitPlaces([folder]) for split, folder in folders.items()}


def _bare_folders(root: Path) -> dict[Split, str]:
    """Folders of images by split, in the first of BARE_LAYOUTS that has both train and val; else none.

    Raises:
        DatasetError: two different folders have names of one split.
    """
    for pattern in BARE_LAYOUTS:
        folders: dict[Split, str] = {}
        for split, names in SPLIT_NAMES.items():
            found = [folder for name in names if is_folder(root / (folder := pattern.format(split=name)))]
            if len({identity(root / folder) for folder in found}) > 1:
                raise DatasetError(
                    f"{root}: which of {' and '.join(found)} is {split}? Rename one, or name it in a data.yaml"
                )
            if found:
                folders[split] = found[0]
        if "train" in folders and "val" in folders:
            return folders
    return {}


def _no_dataset(root: Path, seen: Glimpse) -> str:
    has_splits = any(is_folder(root / pattern.format(split="train")) for pattern in BARE_LAYOUTS)
    hint = import_hint(root, seen, has_splits)
    if hint:
        return f"{root}: no YOLO dataset; {hint}"
    return (
        f"{root}: no YOLO dataset: looked for {', '.join(DESCRIPTIONS)}, any single YAML file, and the folders "
        f"train/images with val/images or valid/images, and images/train with images/val or images/valid; "
        f"{EITHER_LAYOUT}"
    )


def _bare_names(root: Path, folders: Iterable[str]) -> tuple[str, ...]:
    """Class names, one a line, from classes.txt at the root or in a labels folder."""
    candidates = [CLASSES_FILE, f"labels/{CLASSES_FILE}", *(join(_label_folder(f), CLASSES_FILE) for f in folders)]
    candidates = list(dict.fromkeys(candidates))
    found = {file: listed_classes(root / file) for file in candidates if is_file(root / file)}
    if not any(found.values()):
        looked = ", ".join(candidates)
        raise DatasetError(f"{root}: no class names: put them, one a line, into one of {looked}, or write a data.yaml")
    if len(set(found.values())) > 1:
        different = " and ".join(str(root / file) for file in found)
        raise DatasetError(f"{different} name different classes; make them equal, or delete all but one")
    return next(iter(found.values()))


def listed_classes(file: Path) -> tuple[str, ...]:
    """Class names of a file with one in each line."""
    lines = read_lines(file, CLASSES_MB, "list of class names")
    return class_names(Entry(name, f"{file}:{number}: {shortened(repr(name))}") for number, name in lines)
