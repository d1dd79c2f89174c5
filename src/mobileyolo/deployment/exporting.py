"""A model -> a file for another engine, by Ultralytics' own exporter (8.4). Its only importer."""

from __future__ import annotations

import copy
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
from mobileyolo.deployment.formats import FORMATS, check_packages

LOG = "export.log"
TAIL = 5  # lines of the log that an error shows


def export(model: DetectionModel, name: str, folder: Path, imgsz: int) -> Path:
    """Export a model in single precision, for one image at a time.

    Args:
        model: in single precision; left as it is.
        name: a key of FORMATS.
        folder: where the file goes, and what the exporters leave beside it; made if need be.
        imgsz: side of the square input in pixels.

    Returns:
        The file or folder.

    Raises:
        ExportError: the format's packages are not installed, or the export failed.
    """
    check_packages([name])
    folder.mkdir(parents=True, exist_ok=True)
    exported = copy.copy(model)  # of its attributes only; the exporter copies the layers
    exported.pt_path = "best.pt"  # names the result; the file itself is not read
    exported.task = "detect"  # Ultralytics' YOLO class sets these two otherwise
    exported.args = {"data": ""}
    settings = {"format": name, "imgsz": imgsz, "batch": 1, "device": "cpu"}
    try:
        # From inside the folder: pnnx leaves files in the working directory and a path in one of its results, and
        # the exporter replaces ".pt" wherever it stands in the path.
        with chdir(folder), _silence(Path(LOG)):
            Exporter(overrides=settings)(model=exported)
    except Exception as error:  # whatever the engines' own converters raise
        said = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        what = f"{FORMATS[name].title}: the export failed: {type(error).__name__}: {error}"
        raise ExportError("\n".join([what, *said])) from error
    return folder / FORMATS[name].file


@contextmanager
def _silence(log: Path) -> Iterator[None]:
    """Send to a file what converters write to the error stream, pnnx from a process of its own, and warn of nothing."""
    level, stream = LOGGER.level, os.dup(2)
    with log.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LOGGER.setLevel(logging.CRITICAL)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            LOGGER.setLevel(level)
