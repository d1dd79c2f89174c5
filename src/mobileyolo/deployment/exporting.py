"""A model -> a file for another engine. The only importer of Ultralytics' exporter (8.4)."""

from __future__ import annotations

import copy
import errno
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from ultralytics.engine.exporter import Exporter
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import LOGGER

from mobileyolo.core.errors import ExportError
from mobileyolo.deployment.formats import EXPORT_FORMATS, check_packages

LOG = "export.log"
TAIL = 5  # lines of the log that an error shows
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # no fault of a converter's


def export(model: DetectionModel, name: str, folder: Path, imgsz: int, *, dynamic: bool = False) -> Path:
    """Export a model in single precision, for one image at a time.

    Args:
        model: in single precision; it is not changed.
        name: a key of EXPORT_FORMATS.
        folder: for the file and for what the exporters leave beside it; created if it is missing.
        imgsz: side of the square input in pixels.
        dynamic: of ONNX, take any number of images of any size instead.

    Returns:
        The file or folder.

    Raises:
        ExportError: the format's packages are not installed, or the export failed.
        OSError: the disk is full or read-only.
    """
    check_packages([name])
    folder.mkdir(parents=True, exist_ok=True)
    exported = copy.copy(model)  # a shallow copy; the exporter itself copies the layers
    exported.pt_path = "best.pt"  # gives the result its name; no such file is read
    exported.task = "detect"  # Ultralytics' YOLO class sets these two otherwise
    exported.args = {"data": ""}
    settings = {"format": name, "imgsz": imgsz, "batch": 1, "device": "cpu"}
    if dynamic:
        # Simplifying takes most of the export's time. ONNX Runtime does it itself, and was as fast without (measured).
        settings |= {"dynamic": True, "simplify": False}
    try:
        # Run inside the folder: pnnx writes files into the working directory and the path into one of its results, and
        # the exporter replaces every ".pt" in the path.
        with chdir(folder), silenced(Path(LOG)):
            Exporter(overrides=settings)(model=exported)
    except Exception as error:  # the engines' own converters can raise anything
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        said = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        what = f"{EXPORT_FORMATS[name].title}: the export failed: {type(error).__name__}: {error}"
        raise ExportError("\n".join([what, *said])) from error
    return folder / EXPORT_FORMATS[name].file


def megabytes(path: Path) -> float:
    """Size of an exported file or folder (1e6 bytes)."""
    files = path.rglob("*") if path.is_dir() else [path]
    return round(sum(file.stat().st_size for file in files) / 1e6, 3)


@contextmanager
def silenced(log: Path) -> Iterator[None]:
    """Write the error stream to a file, also that of processes that converters start (pnnx), and show no warnings.

    Those of loggers are no exception: nncf warns by one of torch's that there is no GPU.

    Args:
        log: the file.
    """
    level, disabled, stream = LOGGER.level, logging.root.manager.disable, os.dup(2)
    with log.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        LOGGER.setLevel(logging.CRITICAL)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            LOGGER.setLevel(level)
            logging.disable(disabled)
