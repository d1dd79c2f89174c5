"""Validation, beside Ultralytics' scan of the same labels.

Ultralytics reads every image's header and every label. Reading here decodes every image to its last pixel, hashes it
twice and measures it, and reads every label; validation goes on to judge all that and to write the report.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.datasets import Splits, write_dataset
from benchmarks.measuring import Case, Sample, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.workspaces import scratch


def cases(scale: Scale) -> list[Case]:
    """The whole command, and reading alone, for few and for many images."""
    return [
        Case(
            subject="validation",
            name=f"{name}, {images:,} images",
            unit="s",
            size={"images": images, "boxes": 10 * images, "width": 320, "height": 240},
            open=partial(opened, images),
            rounds=scale.rounds(3 if images > 10_000 else 6),
        )
        for images in ((200,) if scale.quick else (1_000, 10_000, 100_000))
        for name, opened in (("whole", _whole), ("reading", _reading))
    ]


@contextmanager
def _whole(images: int) -> Iterator[Ways]:
    """Processes from start to end; validation for the first time, and again with what it remembers."""
    with _dataset(images) as (folder, root):
        validate = python("mobileyolo", "validate", str(root), "--report")

        def first() -> Sample:
            shutil.rmtree(folder / "cache", ignore_errors=True)
            return run([*validate, "first"], folder, {"MOBILEYOLO_CACHE": str(folder / "cache")})

        def again() -> Sample:
            return run([*validate, "again"], folder, {"MOBILEYOLO_CACHE": str(folder / "remembered")})

        again()
        yield {"mobileyolo validate": first, "Ultralytics": lambda: run(_scan(root), folder), "a second time": again}


@contextmanager
def _reading(images: int) -> Iterator[Ways]:
    """Without start, verdict and report, and with nothing remembered."""
    with _dataset(images) as (folder, root):
        yield {
            "reading": lambda: run(python("benchmarks.validation", str(root)), folder, told=True),
            "Ultralytics": lambda: run(_scan(root), folder, told=True),
        }


@contextmanager
def _dataset(images: int) -> Iterator[tuple[Path, Path]]:
    """A folder to work in, and a dataset of which every fifth image is in val."""
    with scratch() as folder:
        yield folder, write_dataset(folder / "data", Splits(images - images // 5, images // 5))


def _scan(root: Path) -> list[str]:
    return python("benchmarks.plain", "scan", json.dumps({"root": str(root), "splits": ["train", "val"]}))


def main() -> None:
    """Read a dataset in this process, and print the seconds."""
    from mobileyolo.dataset.reading import read_dataset

    start = time.perf_counter()
    read_dataset(Path(sys.argv[1]))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
