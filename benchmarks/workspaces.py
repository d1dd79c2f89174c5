"""Copies of this checkout in which stages run: by DVC, or by hand where one stage alone is timed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.circumstances import ROOT
from benchmarks.measuring import Sample
from benchmarks.processes import python, run
from mobileyolo.core.backbones import Arm
from mobileyolo.core.files import DATASET_FILE
from mobileyolo.core.records import DatasetCard

Changes = Mapping[str, Mapping[str, Any]]  # of params.yaml, by section

# The least that has every stage do all that it does.
TINY = {"imgsz": 64, "batch": 4, "nbs": 4, "epochs": 1}


@dataclass(frozen=True)
class Checkout:
    """A copy of this repository, with a git and DVC repository of its own."""

    path: Path

    @classmethod
    def create(cls, path: Path, dataset: Path, changes: Changes) -> Checkout:
        """Copy it, and change params.yaml."""
        from tests.pipeline.workspace import Workspace  # imports MLflow, which takes seconds

        path.mkdir(parents=True)
        Workspace.create(path, dataset)
        made = cls(path)
        made.write_params({"data": {"dir": dataset.as_posix()}} | dict(changes))
        return made

    def dvc(self, *arguments: str) -> Sample:
        """Run a dvc command."""
        return run(python("dvc", *arguments), self.path)

    def stage(self, name: str, arm: Arm | None = None, variables: Mapping[str, str] | None = None) -> Sample:
        """Run a stage by hand, as DVC would, with the first seed.

        Args:
            name: the stage's.
            arm: for which, if the stage runs once an arm.
            variables: of its environment.
        """
        called = f"{name}@{arm}-0" if arm else name
        if name == "teach":
            called = f"teach-{arm}@0"
        command = python(f"stages.{name}", *([arm] if arm else []))
        return run(command, self.path, {"DVC_STAGE": called, **(variables or {})})

    def make_trainable(self, arm: Arm) -> None:
        """Run all stages that the training of an arm needs, but no training."""
        # The baseline never waits for a training here; the candidate would, because the baseline may be its teacher.
        self.dvc("repro", f"build@{arm}", "teach-baseline@0")
        if arm == "candidate":
            self.stage("teach", arm)

    def forget_trainings(self) -> None:
        """Remove what is kept of trainings: a finished one would not be done again."""
        shutil.rmtree(self.path / ".mobileyolo/trainings", ignore_errors=True)

    def forget_images(self) -> None:
        """Remove what validation remembers of files that it has read."""
        shutil.rmtree(self.path / ".mobileyolo/cache", ignore_errors=True)

    def train(self, arm: Arm, variables: Mapping[str, str] | None = None) -> Sample:
        """The whole stage train, from nothing."""
        self.forget_trainings()
        return self.stage("train", arm, variables)

    def write_params(self, changes: Changes) -> None:
        """Let params.yaml hold what is shipped, but for these changes and the dataset that it names."""
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for section, values in ({"data": self.params()["data"]} | dict(changes)).items():
            params[section] |= values
        (self.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def params(self) -> dict[str, dict[str, Any]]:
        """What params.yaml holds."""
        found: dict[str, dict[str, Any]] = yaml.safe_load((self.path / "params.yaml").read_text(encoding="utf-8"))
        return found

    @property
    def card(self) -> DatasetCard:
        """What validation found the dataset to be."""
        return DatasetCard.read(self.path / DATASET_FILE)


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mobileyolo-benchmark-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@contextmanager
def checkout(write: Callable[[Path], Path], changes: Changes) -> Iterator[Checkout]:
    """A checkout with a dataset beside it, in a temporary folder.

    Args:
        write: writes the dataset into a folder that is not there, and returns where it lies.
        changes: of params.yaml.
    """
    with scratch() as folder:
        yield Checkout.create(folder / "checkout", write(folder / "data"), changes)
