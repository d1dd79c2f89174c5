"""Files of a training that goes on: its state after each epoch, for the process that goes on where this one stops.

They lie in .mobileyolo/trainings/ of the main workspace, also for an experiment that runs in a temporary one. The name
of a folder has a digest of all that a training depends on, so a checkpoint of other parameters, code or data is never
taken.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import torch

from mobileyolo.core import environment
from mobileyolo.core.files import ModelFiles, digest_of, replacing, replacing_folder, write_text
from mobileyolo.core.records import TrainingPlan
from mobileyolo.core.trainings import (
    HOLDER_FILE,
    KEPT,
    SCRATCH_DIR,
    TERMS_FILE,
    TRAININGS_DIR,
    checkpoint_name,
    checkpoints_in,
    epoch_of,
)
from mobileyolo.training.resuming import State

OUTDATED = 30 * 24 * 3600  # seconds; after that, a training that nobody went on with is removed
_DIGEST_LENGTH = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Checkpoints:
    """The folder of one training.

    Attributes:
        folder: of this training only.
        terms: all that it depends on, by name.
        label: the training's name for people.
    """

    folder: Path
    terms: Mapping[str, Any]
    label: str

    @classmethod
    def of(cls, planned: TrainingPlan, inputs: Sequence[Path], code: Sequence[Path]) -> Checkpoints:
        """The folder of a training in the main workspace; it need not exist.

        Args:
            planned: the training.
            inputs: further files that it depends on: architecture, initial weights, the teacher's checkpoint.
            code: files and folders of the code that it runs.
        """
        terms = {
            "plan": planned.model_dump(mode="json"),
            "inputs": _digest(inputs),
            "code": _digest(file for path in code for file in _modules(path)),
        }
        name = f"{planned.arm}-s{planned.seed}-{digest_of(terms)[:16]}"
        folder = environment.main_workspace() / TRAININGS_DIR / name
        return cls(folder, terms, f"{planned.arm}, seed {planned.seed}")

    @property
    def scratch(self) -> Path:
        """Folder for what Ultralytics writes by itself."""
        return self.folder / SCRATCH_DIR

    @contextmanager
    def held(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Hold this training, so that no other process works on it; wait for one that does.

        The system releases the lock when a process ends in any way, so that a dead one never blocks.

        Args:
            tell: takes a sentence on who is waited for.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / "lock")
        holder = self.folder / HOLDER_FILE
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            tell(f"{self.label}: {_told(holder)} trains this model already; waiting for it")
            lock.acquire()
        try:
            for torn in self.folder.glob(".*.tmp"):  # of a process that was killed while it wrote
                torn.unlink()
            write_text(holder, json.dumps({"pid": os.getpid(), "since": time.time()}) + "\n")
            write_text(self.folder / TERMS_FILE, json.dumps(self.terms, indent=2, ensure_ascii=False) + "\n")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def save(self, epoch: int, state: State) -> None:
        """Write the state after an epoch, whole or not at all, and remove those before the last one.

        Args:
            epoch: that has ended, counted from 1.
            state: what `latest` gives back.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        with replacing(self.folder / checkpoint_name(epoch)) as temporary, temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave an empty file under the new name
        for outdated in checkpoints_in(self.folder)[:-KEPT]:
            _remove(outdated)

    def latest(self) -> State | None:
        """The state after the last epoch of which a whole checkpoint is there; None if there is none."""
        for file in reversed(checkpoints_in(self.folder)):
            content = file.read_bytes()
            digest, content = content[:_DIGEST_LENGTH], content[_DIGEST_LENGTH:]
            if hashlib.sha256(content).digest() == digest:
                state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                return state
        return None

    @property
    def last_epoch(self) -> int:
        """The last epoch of which a checkpoint is there; 0 if there is none."""
        return max(map(epoch_of, checkpoints_in(self.folder)), default=0)

    def finish(self, files: ModelFiles) -> None:
        """Keep the files of the finished training in place of its checkpoints, until another training begins.

        DVC has them only when the stage has ended; a process that is killed before that must not train again.
        """
        with replacing_folder(self._finished) as folder:
            for file in files.trained:
                shutil.copyfile(file, folder / file.name)
        for file in checkpoints_in(self.folder):
            _remove(file)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def restore(self, files: ModelFiles) -> bool:
        """Write the files of the training if it has finished already; did it?"""
        if not self._finished.is_dir():
            return False
        for file in files.trained:
            with replacing(file) as temporary:
                shutil.copyfile(self._finished / file.name, temporary)
        return True

    def tidy(self) -> None:
        """Remove other trainings that have finished, and those that nobody went on with for a month.

        This one, too, if it has finished and DVC has its files since: who runs the stage then wants it trained again.
        """
        for other in [*self._others(), *([self] if self._taken() else [])]:
            lock = filelock.FileLock(other.folder / "lock")
            try:
                with lock.acquire(blocking=False):
                    outdated = time.time() - other.folder.stat().st_mtime > OUTDATED
                    if other._finished.is_dir() or outdated or not checkpoints_in(other.folder):
                        shutil.rmtree(other.folder, ignore_errors=True)
            except filelock.Timeout:
                continue  # that training goes on

    def told(self, state: State | None) -> str:
        """A sentence on where the training begins, and why.

        Args:
            state: the last one, if there is one.
        """
        plan = self.terms["plan"]
        if state is None:
            return f"{self.label}: from the first epoch{self._refused()}"
        # A GPU adds up in any order, and loader workers draw their random numbers ahead.
        inexact = "" if plan["engine"]["device"] == "cpu" else "; on a GPU not bit for bit as without the stop"
        return f"{self.label}: goes on after epoch {state['epoch']} of {plan['recipe']['epochs']}{inexact}"

    def _refused(self) -> str:
        """Why a checkpoint of the same training is not taken: its engine was another one; else empty."""
        mine = self.terms["plan"]["engine"]
        for other in self._others():
            files = checkpoints_in(other.folder)
            if files and _without_engine(other.terms) == _without_engine(self.terms):
                engine, mine = ({"gpus": "1"} | each for each in (other.terms["plan"]["engine"], mine))
                differing = [key for key in sorted(engine.keys() | mine.keys()) if engine.get(key) != mine.get(key)]
                told = ", ".join(f"{key} {engine.get(key)}, now {mine.get(key)}" for key in differing)
                return f"; one that stopped after epoch {epoch_of(files[-1])} had another engine, and is left: {told}"
        return ""

    def _taken(self) -> bool:
        """Has DVC recorded the finished training's weights?"""
        weights, lock = self._finished / "best.pt", environment.main_workspace() / "dvc.lock"
        if not weights.is_file() or not lock.is_file():
            return False
        return hashlib.md5(weights.read_bytes(), usedforsecurity=False).hexdigest() in lock.read_text(encoding="utf-8")

    @property
    def _finished(self) -> Path:
        return self.folder / "finished"

    def _others(self) -> Iterator[Checkpoints]:
        """All trainings of this workspace but this one."""
        for folder in sorted(self.folder.parent.glob("*-s*-*")):
            if folder != self.folder:
                try:
                    terms = json.loads((folder / TERMS_FILE).read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    terms = {}
                yield Checkpoints(folder, terms, folder.name)


def _without_engine(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {**terms, "plan": {**terms.get("plan", {}), "engine": None, "recipe_digest": None}}


def _remove(file: Path) -> None:
    """Delete a checkpoint; on Windows not while another process copies it to a remote, but the next time."""
    with suppress(PermissionError):
        file.unlink()


def _told(holder: Path) -> str:
    """Which process holds a training, and since when."""
    try:
        values = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {values['pid']} (since {(time.time() - values['since']) / 60:.0f} minutes)"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _digest(files: Iterable[Path]) -> str:
    """SHA-256 of the names and contents of files; of those that are there."""
    there = [file for file in files if file.is_file()]
    return digest_of([[file.as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()] for file in there])


def _modules(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]
