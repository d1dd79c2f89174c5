"""Copies of this checkout in which stages run: by DVC, or by hand where one stage alone is timed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.circumstances import ROOT
from benchmarks.datasets import Splits, private_copy, write_dataset
from benchmarks.measuring import Sample, Scale
from benchmarks.processes import python, run
from mobileyolo.core.backbones import Arm
from mobileyolo.core.files import DATASET_FILE
from mobileyolo.core.records import DatasetCard

Changes = Mapping[str, Mapping[str, Any]]  # of params.yaml, by section

# An arm's recipe: the values that docs/how-to/own-data.md starts with, but at the size of the data here.
RECIPE = {
    **{"imgsz": 320, "batch": 8, "nbs": 8, "mosaic": 1.0, "close_mosaic": 0},
    **{"fliplr": 0.5, "scale": 0.5, "translate": 0.1, "hsv_s": 0.7},
}
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
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))  # a test's would be smaller
        params["data"]["dir"] = dataset.as_posix()
        for section, values in changes.items():
            params[section] |= values
        (path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        return cls(path)

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

    def params(self) -> dict[str, dict[str, Any]]:
        """What params.yaml holds."""
        found: dict[str, dict[str, Any]] = yaml.safe_load((self.path / "params.yaml").read_text(encoding="utf-8"))
        return found

    def plain_description(self) -> Path:
        """A data YAML for plain Ultralytics, with exactly the images of the manifest."""
        images, root = pd.read_parquet(self.path / "data/manifest/images.parquet"), self.params()["data"]["dir"]
        description: dict[str, Any] = {"path": root, "names": dict(enumerate(self.card.names))}
        for split, rows in images.groupby("split"):
            listed = self.path / f"plain-{split}.txt"
            listed.write_text("".join(f"{Path(root, image)}\n" for image in rows["image"]), encoding="utf-8")
            description[str(split)] = str(listed)
        file = self.path / "plain.yaml"
        file.write_text(yaml.safe_dump(description), encoding="utf-8")
        return file

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


def arm_of(backbone: str) -> Arm:
    """The arm that has this backbone in the shipped params.yaml."""
    return "baseline" if backbone == "yolo11n" else "candidate"


def training_data(scale: Scale, splits: Splits, **shape: int) -> Callable[[Path], Path]:
    """Writes the dataset to train on: the user's own, copied, or a generated one.

    Args:
        scale: may name the user's.
        splits: of the generated one.
        shape: of its images, see `write_dataset`.
    """
    if scale.data:
        own = scale.data
        return lambda root: private_copy(own, root)
    return lambda root: write_dataset(root, splits, **shape)
