"""Checked images and their splits -> a folder in Ultralytics' layout; if it fails, nothing is written."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd
import yaml
from tqdm import tqdm

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.files import replacing_folder, write_table, write_text
from mobileyolo.core.records import SPLITS, Split
from mobileyolo.core.text import printable
from mobileyolo.dataset.layout import CLASSES_FILE, DESCRIPTIONS, IMAGE_FORMATS
from mobileyolo.importing.checking import CheckedImage
from mobileyolo.importing.filenames import folded
from mobileyolo.importing.sources import Note

SUFFIX_OF = {"BMP": ".bmp", "JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp"}
NOTES_FILE = "import.csv"


def write(
    root: Path,
    target: Path,
    names: Sequence[str],
    images: Sequence[tuple[CheckedImage, Split]],
    notes: Sequence[Note],
    link: bool,
) -> tuple[Note, ...]:
    """Write the dataset; images are copied or, with `link`, hard-linked.

    Returns:
        All notes, in the order in which import.csv lists them.

    Raises:
        DatasetError: a file can't be written or linked.
    """
    titles = _titles([image for image, _ in images])
    renamed = [
        Note(old, "", "renamed", new, "changed") for old, new in titles.items() if PurePosixPath(old).name != new
    ]
    listed = tuple(sorted([*notes, *renamed], key=lambda note: note.file))  # in a file, as they stand there
    splits = [split for split in SPLITS if any(split == own for _, own in images)]
    try:
        with replacing_folder(target) as folder:
            for split in splits:
                (folder / split / "images").mkdir(parents=True)
                (folder / split / "labels").mkdir()
            for image, split in tqdm(images, "Linking" if link else "Copying", unit=" images", disable=None):
                file = folder / split / "images" / titles[image.source.file]
                if link:
                    file.hardlink_to((root / image.source.file).resolve())
                else:
                    shutil.copyfile(root / image.source.file, file)
                label = folder / split / "labels" / f"{file.stem}.txt"
                label.write_text("".join(f"{line}\n" for line in image.lines), encoding="utf-8", newline="\n")
            description: dict[str, object] = {split: f"{split}/images" for split in splits}
            description["names"] = list(names)
            write_text(folder / DESCRIPTIONS[0], yaml.safe_dump(description, sort_keys=False, allow_unicode=True))
            write_table(folder / NOTES_FILE, _table(listed))
    except OSError as error:
        raise DatasetError(f"{error.filename2 or error.filename or target}: {error.strerror or error}") from None
    return listed


def _titles(images: Sequence[CheckedImage]) -> dict[str, str]:
    """A file name for each image: its own, with its folders in front if another image has the same name.

    If the file extension names another format than the content, it is replaced.
    """
    # classes.txt, which LabelImg writes among the labels, is not a label, so no image may be called classes.
    taken = {folded(PurePosixPath(CLASSES_FILE).stem)}
    paths = [PurePosixPath(image.source.file) for image in images]
    stems = Counter(folded(path.stem) for path in paths)
    titles = {}
    for image, path in zip(images, paths, strict=True):
        alone = stems[folded(path.stem)] == 1 and folded(path.stem) not in taken
        stem = path.stem if alone else "-".join(path.with_suffix("").parts)
        unique, number = stem, 1
        while folded(unique) in taken or (unique != path.stem and folded(unique) in stems):
            number += 1
            unique = f"{stem}-{number}"
        taken.add(folded(unique))
        true = IMAGE_FORMATS[path.suffix.lower()] == image.facts.format
        titles[image.source.file] = unique + (path.suffix if true else SUFFIX_OF[image.facts.format])
    return titles


def _table(notes: Sequence[Note]) -> pd.DataFrame:
    rows = [(note.file, note.record, note.outcome, note.reason, note.value) for note in notes]
    # JSON and file names may have characters that can't be written as UTF-8, which pandas refuses to hold.
    sound = [tuple(map(printable, row)) for row in rows]
    return pd.DataFrame(sound, columns=["file", "record", "outcome", "reason", "value"])
