"""Reads images and their label files on all cores; files that have not changed are not read again."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from time import time_ns
from types import MappingProxyType

import pandas as pd
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from mobileyolo.core import environment
from mobileyolo.dataset.cache import Memory
from mobileyolo.dataset.images import ImageFacts, pixels_digest, read_image
from mobileyolo.dataset.labels import LabelLine, read_label
from mobileyolo.dataset.layout import CLASSES_FILE, label_of

CHUNK = 256  # images in a task
FEW = 2000  # images; fewer are read by threads, before processes would have started

FACTS = tuple(field.name for field in fields(ImageFacts))
FACT_TYPES = {"width": "int64", "height": "int64", "bytes": "int64", "dhash": "uint64"}
FACT_TYPES |= dict.fromkeys(("brightness", "contrast", "sharpness"), "float64")
FACT_TYPES |= dict.fromkeys(("sha256", "read_error", "format", "pixels"), "str")
LINE_TYPES = {"line": "int64", "points": "int32", "key": "int64", "text": "str", "parse_error": "str"}
LINE_TYPES |= dict.fromkeys(("class_id", "x", "y", "w", "h"), "float64")


@dataclass(frozen=True)
class Scan:
    """What was read.

    images: image, label, label_exists, FACTS, and exact: the digest of all pixels, where thumbnails are equal and bytes
        are not.
    boxes: image, label, and the columns of LINE_TYPES; in the order of images and lines.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame


def scan(
    root: Path,
    images: Sequence[str],
    memory_dir: Path | None = None,
    spelt_otherwise: Mapping[str, str] = MappingProxyType({}),
) -> Scan:
    """Read images and their label files, except those that are remembered and have not changed.

    Args:
        root: The dataset's folder.
        images: Distinct paths below it.
        memory_dir: Where to remember; None for nowhere.
        spelt_otherwise: By image, its label file where that is not the one of `label_of`.
    """
    started = time_ns()
    labels = {image: spelt_otherwise.get(image) or label_of(image) for image in images}
    memory = Memory(memory_dir, root) if memory_dir else None
    stamps = pd.Series(
        [_stamp(root, *pair) for pair in labels.items()] if memory else "", index=list(labels), dtype=object
    )
    recalled = memory.recall(stamps) if memory else None
    known = [_with_labels(Scan(*recalled), labels)] if recalled else []
    remembered = {image for scan in known for image in scan.images["image"]}
    unread = [(image, label) for image, label in labels.items() if image not in remembered]
    found = _in_order(images, _concatenated([*known, *_read(root, unread)]))
    found = Scan(_with_exact_pixels(root, found.images), found.boxes)
    if memory and unread:
        memory.keep(found.images, found.boxes, stamps, started)
    exact = found.images.pop("exact")
    return Scan(found.images.assign(pixels=exact.fillna(found.images["pixels"])), found.boxes)


def _with_labels(scan: Scan, labels: Mapping[str, str]) -> Scan:
    """Without the images that had another label file."""
    images = scan.images[scan.images["label"] == scan.images["image"].map(labels)]
    return Scan(images, scan.boxes[scan.boxes["image"].isin(images["image"])])


def _read(root: Path, images: Sequence[tuple[str, str]]) -> Iterator[Scan]:
    """Read them in chunks."""
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    # Few images are read before a process has started; Pillow's decoders release the GIL, so threads are enough.
    prefer = "threads" if len(images) < FEW else "processes"
    options = {"initializer": _end_with, "initargs": (os.getpid(),)} if prefer == "processes" else {}
    parallel = Parallel(environment.threads(), prefer=prefer, return_as="generator", batch_size=1, **options)
    with _interrupts_kept_from_children():
        scans = parallel(delayed(_read_chunk)(root, chunk) for chunk in chunks)
    with tqdm(total=len(images), unit=" images", desc="Reading", disable=None, delay=1) as bar:
        for done in scans:
            bar.update(len(done.images))
            yield done
    if prefer == "processes":
        get_reusable_executor(reuse=True).shutdown()  # idle processes would keep their memory for minutes


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Let processes that start in this block ignore Ctrl-C: it ends them through this one, without their tracebacks."""
    if threading.current_thread() is not threading.main_thread():  # only that one may do so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which they inherit, but not on Windows
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with(parent: int) -> None:
    """Make this process end when its parent is killed; otherwise it would wait forever for new tasks."""
    if sys.platform == "linux":  # no other system has this
        environment.end_with_parent()
        if os.getppid() != parent:  # the parent was killed already
            os.kill(os.getpid(), signal.SIGTERM)


def _read_chunk(root: Path, pairs: Sequence[tuple[str, str]]) -> Scan:
    images, expected = [image for image, _ in pairs], [label for _, label in pairs]
    labels = [_existing(root, label) for label in expected]
    facts = [read_image(f"{root}/{image}") for image in images]
    table = pd.DataFrame([tuple(vars(fact).values()) for fact in facts], columns=list(FACTS)).astype(FACT_TYPES)
    table.insert(0, "image", pd.Series(images, dtype="str"))
    table.insert(1, "label", pd.Series(expected, dtype="str"))
    table.insert(2, "label_exists", pd.Series([bool(label) for label in labels], dtype="bool"))
    table["exact"] = pd.Series(None, table.index, "str")
    owners: list[tuple[str, str]] = []
    lines: list[LabelLine] = []
    for image, label in zip(images, labels, strict=True):
        if label:
            own = read_label(f"{root}/{label}")
            lines += own
            owners += [(image, label)] * len(own)
    boxes = pd.DataFrame(lines, columns=list(LabelLine._fields)).astype(LINE_TYPES)
    boxes.insert(0, "image", pd.Series([image for image, _ in owners], dtype="str"))
    boxes.insert(1, "label", pd.Series([label for _, label in owners], dtype="str"))
    return Scan(table, boxes)


def _existing(root: Path, label: str) -> str:
    """Path of a label file below the folder, "" where there is none."""
    # LabelImg writes its list of class names into the folder of labels.
    if label.rpartition("/")[2] == CLASSES_FILE:
        return ""
    try:
        mode = os.lstat(f"{root}/{label}").st_mode  # a Path would be slower, and there are many files
        is_folder = stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and os.path.isdir(f"{root}/{label}"))  # noqa: PTH112
    except OSError:
        return ""
    return "" if is_folder else label


def _concatenated(scans: Sequence[Scan]) -> Scan:
    """All scans as one; without any, an empty one with all columns."""
    empty = _read_chunk(Path(), [])
    parts = [scan for scan in scans if len(scan.images)] or [empty]
    boxes = [scan.boxes for scan in parts if len(scan.boxes)] or [empty.boxes]
    return Scan(pd.concat([scan.images for scan in parts]), pd.concat(boxes))


def _in_order(images: Sequence[str], scan: Scan) -> Scan:
    rank = pd.Series(range(len(images)), index=list(images))
    order = scan.boxes["image"].map(rank).argsort(kind="stable")
    facts = scan.images.set_index("image").loc[list(images)].reset_index()
    return Scan(facts, scan.boxes.iloc[order].reset_index(drop=True))


def _with_exact_pixels(root: Path, images: pd.DataFrame) -> pd.DataFrame:
    """Add the digest of all pixels where thumbnails are equal and bytes are not."""
    # A copy of an image has the same pixels.
    images = images.assign(exact=images.groupby("sha256")["exact"].transform("first"))
    distinct = images[images["read_error"].isna()].drop_duplicates("sha256")
    alike = distinct[distinct["pixels"].duplicated(keep=False) & distinct["exact"].isna()]
    with ThreadPoolExecutor(environment.threads()) as pool:
        digests = pool.map(lambda image: pixels_digest(root / image), alike["image"])
        exact = dict(zip(alike["sha256"], digests, strict=True))
    return images.assign(exact=images["exact"].fillna(images["sha256"].map(exact).astype("str")))


def _stamp(root: Path, image: str, label: str) -> str:
    """A text that changes when the image or its label file changes."""
    return "|".join(_stamp_of(f"{root}/{path}") for path in (image, label))


def _stamp_of(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116  # Path.stat costs twice as much, for every file
    except OSError:
        return "dangling" if os.path.islink(path) else "-"  # noqa: PTH114
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
