"""What MLflow's store answered last, which holds for as long as nobody writes into it.

To import MLflow and ask takes seconds, longer than DVC needs to find out that there is nothing to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from mobileyolo.core import environment
from mobileyolo.core.files import ModelFiles, Record, digest_of
from mobileyolo.core.records import History

FILE = environment.STATE_DIR / "history.json"  # in the main workspace, as the store is


class LastAnswer(Record):
    """An answer, and what it depends on."""

    question: str  # from `question`
    history: History

    @classmethod
    def find(cls, question: str | None) -> Self | None:
        """The last answer if it is to this question; a damaged file is no answer."""
        try:
            last = cls.read(environment.main_workspace() / FILE)
        except (OSError, ValueError, ValidationError):
            return None
        return last if last.question == question else None

    def keep(self) -> None:
        """Remember it in place of the one before."""
        self.write(environment.main_workspace() / FILE)


def question(models: Iterable[ModelFiles], code: Mapping[str, str]) -> str | None:
    """A digest of all that the answer about a comparison depends on, the state of the store's files included.

    Args:
        models: the comparison's.
        code: digests of the code that asks.

    Returns:
        None where MLFLOW_TRACKING_URI names another store than the default one, whose state no file here shows.
    """
    store = environment.default_store()
    if store is None:
        return None
    files = sorted(store.parent.glob(f"{store.name}*"))  # with SQLite's side files
    asked = [file for each in models for file in (each.training, each.metrics, each.statistics / "evaluation.json")]
    return digest_of(
        {
            "store": {file.name: _state(file) for file in files},
            "models": {file.as_posix(): _digest(file) for file in asked},
            "code": dict(code),
        }
    )


def _state(file: Path) -> list[int]:
    try:
        state = file.stat()
    except FileNotFoundError:  # a journal, whose process has finished writing meanwhile
        return []
    return [state.st_ino, state.st_size, state.st_mtime_ns]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
