"""Path of every file that passes from stage to stage, and how these files are written.

A file is written completely or not at all. None holds an absolute path. Results hold no time either, so the same work
gives the same bytes on one kind of machine. Times are in reports/times and reports/latency.json, and in the comparison
and its report, which repeat them; Great Expectations' Data Docs have a date of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict

from mobileyolo.core.text import printable

if TYPE_CHECKING:
    import pandas as pd

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML can be built without libyaml

Role = Literal["backbone", "detector", "teacher"]  # what pretrained weights are used for
WEIGHTS_DIR = Path("data/weights")  # a relative name of weights in params.yaml is a file or a folder in here
IMAGENET = "imagenet"  # its folder with backbones from `mobileyolo fetch`
NONE = "none"  # in params.yaml no file, or nobody; WEIGHTS_DIR has a file of this name because DVC needs dependencies
BASELINE = "baseline"  # as train.teacher: the trained baseline teaches the candidate

CHECKED_FILE = Path("data/checked.txt")  # by the stage check
DIGITS_DIR = Path("data/raw/digits")  # by the stage digits
# The stage validate writes these.
DATASET_FILE = Path("data/dataset.yaml")
MANIFEST_DIR = Path("data/manifest")
SCENES_FILE = Path("data/scenes.parquet")  # `Scenes`: images with the same number are not independent
# The stage latency writes the first, and compare all without a comment of their own.
LATENCY_FILE = Path("reports/latency.json")
HISTORY_FILE = Path("reports/history.json")  # by the stage history
COMPARISON_FILE = Path("reports/comparison.json")
METRICS_FILE = Path("reports/metrics.json")
REPORT_FILE = Path("reports/index.html")
CHINESE_REPORT_FILE = Path("reports/index.zh-CN.html")
ERRORS_DIR = Path("reports/errors")  # a page for each kind of error, with its pictures
SUMMARY_FILE = Path("reports/summary.md")
PLOTS_DIR = Path("reports/plots")
FIGURES_DIR = Path("reports/figures")


@dataclass(frozen=True)
class ValidationFiles:
    """The files that a validation writes into a folder."""

    folder: Path

    @property
    def page(self) -> Path:
        """The page for people."""
        return self.folder / "index.html"

    @property
    def verdict(self) -> Path:
        """Whether the dataset may be trained on, a `ValidationVerdict`."""
        return self.folder / "verdict.json"

    @property
    def findings(self) -> Path:
        """The rows that were found: of each kind the first ones."""
        return self.folder / "findings.csv"

    @property
    def docs(self) -> Path:
        """Folder of Great Expectations' Data Docs."""
        return self.folder / "docs"


VALIDATION = ValidationFiles(Path("reports/validation"))  # by the stage validate


def model_file(arm: str) -> Path:
    """The arm's model dictionary, which Ultralytics builds."""
    return Path("models", arm, "model.yaml")


def profile_file(arm: str) -> Path:
    """The arm's cost."""
    return Path("models", arm, "profile.json")


def start_file(arm: str) -> Path:
    """The arm's initial weights, a `StartRecord`."""
    return Path("models", arm, "start.json")


def start_weights_file(arm: str) -> Path:
    """The arm's pretrained tensors, by name in the arm; all others start at random."""
    return Path("models", arm, "start.pt")


def offer_file(arm: str) -> Path:
    """What the arm could have started from, an `OfferRecord`; no training depends on it."""
    return Path("models", arm, "offer.json")


def built_files(arm: str) -> tuple[Path, ...]:
    """All that the stage build writes."""
    return model_file(arm), profile_file(arm), start_file(arm), start_weights_file(arm), offer_file(arm)


@dataclass(frozen=True)
class FetchedWeights:
    """Paths of the copies of pretrained weights for a role: of one file, but for a backbone of any number."""

    role: Role

    @property
    def folder(self) -> Path:
        """Folder of the copies."""
        return Path("models/weights", self.role)

    @property
    def record(self) -> Path:
        """What the originals were, a `Fetched`."""
        return self.folder / "fetched.json"

    def weights(self, number: int = 0) -> Path:
        """Tensors by name, or a teacher's checkpoint, of the file with this number in the record."""
        return self.folder / f"{number}.pt"


@dataclass(frozen=True)
class ModelFiles:
    """Paths of one trained model's files."""

    arm: str
    seed: int

    @property
    def _folder(self) -> Path:
        return Path("models", self.arm, f"s{self.seed}")

    @property
    def teacher_folder(self) -> Path:
        """What the stage teach writes for this model."""
        return Path("models", self.arm, "teacher", f"s{self.seed}")

    @property
    def teacher(self) -> Path:
        """The model's teacher, a `Teacher`."""
        return self.teacher_folder / "teacher.json"

    @property
    def teacher_weights(self) -> Path:
        """Checkpoint of the teacher; missing if there is none."""
        return self.teacher_folder / "teacher.pt"

    @property
    def weights(self) -> Path:
        """Checkpoint of the best epoch, loadable by Ultralytics."""
        return self._folder / "best.pt"

    @property
    def history(self) -> Path:
        """Losses and validation metrics, one row an epoch."""
        return self._folder / "history.csv"

    @property
    def training(self) -> Path:
        """What was trained, a `TrainingRecord`."""
        return self._folder / "training.json"

    @property
    def trained(self) -> tuple[Path, ...]:
        """All that a training writes; their names differ."""
        return self.weights, self.history, self.training, self.time

    @property
    def metrics(self) -> Path:
        """Held-out metrics, a `MetricsRecord`."""
        return Path("reports/metrics", self.arm, f"s{self.seed}.json")

    @property
    def statistics(self) -> Path:
        """Folder of the per-image statistics, a `Statistics`."""
        return Path("reports/statistics", self.arm, f"s{self.seed}")

    @property
    def time(self) -> Path:
        """When and how long the training ran, a `TrainingTime`."""
        return Path("reports/times", self.arm, f"s{self.seed}.json")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`. It replaces `path` when the block ends, and is deleted if the block raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _naming(path, temporary):
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`. It replaces `path` when the block ends, and is deleted if the block raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    with (
        _naming(path, path.with_name(prefix)),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix) as temporary,
    ):
        content = Path(temporary, "content")
        content.mkdir()
        yield content
        shutil.rmtree(path, ignore_errors=True)
        content.rename(path)


@contextmanager
def _naming(path: Path, temporary: Path) -> Iterator[None]:
    """Let the system's errors name what was to be written: a full disk names nothing, and a temporary file is gone.

    Args:
        path: what was to be written.
        temporary: what the temporary paths begin with.
    """
    try:
        yield
    except OSError as error:
        named = "" if error.filename is None else str(Path(str(error.filename)).absolute())
        if error.errno is not None and (not named or named.startswith(str(temporary.absolute()))):
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with Unix line ends, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_none(*files: Path) -> None:
    """Write the files of a model that is not there: DVC wants each one, and warns of empty ones each time."""
    for file in files:
        write_text(file, f"{NONE}\n")


def is_none(file: Path) -> bool:
    """Is the file of a model that is not there?"""
    return file.stat().st_size < 8 and file.read_text(encoding="utf-8").strip() == NONE


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet or CSV, by the path's ending, completely or not at all.

    CSV is read in terminals as well, so control characters in its texts become escapes.
    """
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            # Numbers are written byte by byte: first bytes of all, second bytes of all ... Neighbours are then alike.
            numbers = [name for name, dtype in table.dtypes.items() if dtype.kind in "iuf"]
            table.to_parquet(
                temporary,
                index=False,
                compression="zstd",
                compression_level=15,
                use_dictionary=[name for name in table if name not in numbers],
                column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
            )
        else:
            shown = table.copy()
            for name in table.select_dtypes(exclude=["number", "bool"]):
                shown[name] = table[name].map(_shown)
            shown.to_csv(temporary, index=False, lineterminator="\n")


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def digest_of(value: object) -> str:
    """SHA-256 of a JSON value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping, such as dvc.yaml or a model dictionary; by libyaml, ten times as fast."""
    values: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_SafeLoader)  # noqa: S506 -- it is safe
    return values


class Record(BaseModel):
    """Base of the records that pass from stage to stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record from JSON or, by the path's ending, YAML."""
        yaml_or_json = read_mapping(path) if path.suffix == ".yaml" else json.loads(path.read_text(encoding="utf-8"))
        return cls.model_validate(yaml_or_json)

    def write(self, path: Path) -> None:
        """Write the record as JSON or, by the path's ending, YAML."""
        values = self.model_dump(mode="json")
        if path.suffix == ".yaml":
            write_text(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        else:
            write_text(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
