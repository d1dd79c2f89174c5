"""The training of one arm with one seed: what it is, its course, and what is published of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from ultralytics import __version__ as ultralytics_version

from mobileyolo.core import environment
from mobileyolo.core.backbones import Trainee, width_of
from mobileyolo.core.errors import TrainingError
from mobileyolo.core.files import ModelFiles, digest_of, write_table
from mobileyolo.core.records import DatasetCard, StartRecord, Teacher, TrainingPlan, TrainingRecord, TrainingTime
from mobileyolo.core.tables import Manifest
from mobileyolo.loading import dataset_dictionary, without_traceback
from mobileyolo.models import bridge
from mobileyolo.models.weights import save
from mobileyolo.training import several_gpus
from mobileyolo.training.checkpoints import Checkpoints
from mobileyolo.training.parameters import TrainingRecipe, check_batch
from mobileyolo.training.resuming import State
from mobileyolo.training.trainer import BFLOAT16, ArmModel, ArmTrainer, EpochListener


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        history: one row for each epoch; columns epoch, HISTORY_COLUMNS and, with a teacher, DISTILLATION_COLUMN.
        checkpoint: content of best.pt.
        time: when, where and how long.
    """

    record: TrainingRecord
    history: pd.DataFrame
    checkpoint: dict[str, Any]
    time: TrainingTime

    def write(self, files: ModelFiles) -> None:
        """Write the model's files, each completely or not at all."""
        write_table(files.history, self.history)
        self.record.write(files.training)
        self.time.write(files.time)
        save(self.checkpoint, files.weights)


def plan(
    arm: Trainee, seed: int, recipe: TrainingRecipe, card: DatasetCard, start: StartRecord, teacher: Teacher
) -> TrainingPlan:
    """Collect what params.yaml and earlier stages say about one training.

    Args:
        arm: baseline, candidate or teacher.
        seed: of the initial weights, the data order and the augmentation.
        recipe: how both arms are trained.
        card: what validation found the dataset to be.
        start: the arm's backbone and initial weights.
        teacher: of the arm.

    Raises:
        ConfigError: the GPUs that train it can't share the batch.
    """
    engine = bridge.engine()
    check_batch(recipe.batch, len(environment.devices()))
    equal_terms = {
        "data": card.digest,
        "train": recipe.model_dump(),
        "engine": engine,
        "teacher": [teacher.digest, teacher.dis] if teacher.both_arms else None,
    }
    return TrainingPlan(
        arm=arm,
        backbone=start.backbone,
        width=width_of(start.backbone),
        seed=seed,
        data_digest=card.digest,
        recipe=recipe.model_dump(),
        start=start.summary(),
        teacher=teacher,
        engine=engine,
        recipe_digest=digest_of(equal_terms),
    )


@dataclass(frozen=True)
class Task:
    """What a process has to know to train a model, or to go on with it.

    Attributes:
        planned: the training.
        root: the dataset's folder.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.
        model: the model before its training.
        checkpoints: which keep the state after each epoch.
        state: the last one that they have, if the training has begun already.
    """

    planned: TrainingPlan
    root: Path
    card: DatasetCard
    manifest: Manifest
    model: ArmModel
    checkpoints: Checkpoints
    state: State | None = None

    @property
    def epochs_left(self) -> int:
        """How many are not trained yet."""
        return int(self.planned.recipe["epochs"]) - (self.state["epoch"] if self.state else 0)

    def run(self, on_epoch: EpochListener) -> ArmTrainer:
        """Train in this process, alone or beside those of other GPUs; see `train`."""
        bridge.prepare()
        data = dataset_dictionary(self.manifest, self.card.names, self.root, ("train", "val"))
        clock = _Clock.begin(self.state)

        def keep(epoch: int, row: dict[str, float]) -> None:
            for split in ("train", "val"):  # before each checkpoint: who saw other images must never be gone on with
                data[split].check_unchanged()
            self.checkpoints.save(epoch, {**trainer.state(), "time": clock.read().model_dump(mode="json")})
            on_epoch(epoch, row)

        trainer = ArmTrainer(_settings(self), self.model, data, keep, self.state)
        if self.epochs_left:  # else it was stopped after the last epoch
            with without_traceback():
                trainer.train()
        return trainer


def train(task: Task, on_epoch: EpochListener) -> Trained:
    """Train one arm with one seed, or go on with it.

    Args:
        task: the training.
        on_epoch: called with each epoch's losses and validation metrics, once it is kept.

    Raises:
        DatasetError: an image is another one than was validated, or was written to meanwhile.
        KeyboardInterrupt: with a note on how far the training has come.
        TrainingError: Ultralytics departed from the recipe: it lowered the batch because memory ran out, or wanted to
            return to the last checkpoint because loss or fitness was NaN or infinite. Or a GPU's process failed.
    """
    clock = _Clock.begin(task.state)
    try:
        if task.planned.gpus > 1 and task.epochs_left:
            (task.checkpoints.scratch / "results.csv").unlink(missing_ok=True)  # else each process would remove it
            several_gpus.train(task.run, task.planned.gpus, on_epoch)
            task = replace(task, state=task.checkpoints.latest())
            if task.epochs_left:
                raise TrainingError(f"the processes of {task.planned.gpus} GPUs have ended before the last epoch")
        trainer = task.run(on_epoch)
    except KeyboardInterrupt as stop:
        done, epochs = task.checkpoints.last_epoch, task.planned.recipe["epochs"]
        stop.add_note(f"interrupted after epoch {done} of {epochs}; run the same command to go on")
        raise
    checkpoint, digest = _published(trainer, task)
    return Trained(
        record=TrainingRecord(**task.planned.model_dump(), best_epoch=checkpoint["epoch"], weights_digest=digest),
        history=pd.DataFrame(trainer.history),
        checkpoint=checkpoint,
        time=clock.read(),
    )


@dataclass(frozen=True)
class _Clock:
    """How long a training takes, without the time between a stop and going on."""

    before: TrainingTime
    begun: float

    @classmethod
    def begin(cls, state: State | None) -> _Clock:
        machine, threads = environment.processor(), environment.threads()
        started, seconds, stops = datetime.now(UTC).isoformat(timespec="seconds"), 0.0, ()
        if state:
            earlier = TrainingTime.model_validate(state["time"])
            started, seconds, stops = earlier.started, earlier.seconds, (*earlier.stops, state["epoch"])
        before = TrainingTime(started=started, seconds=seconds, machine=machine, threads=threads, stops=stops)
        return cls(before, time.monotonic())

    def read(self) -> TrainingTime:
        seconds = round(self.before.seconds + time.monotonic() - self.begun)
        return self.before.model_copy(update={"seconds": seconds})


def _settings(task: Task) -> dict[str, Any]:
    """Ultralytics' train settings."""
    planned, teacher, workspace = task.planned, task.model.teacher, task.checkpoints.scratch
    return {
        **{key: value for key, value in planned.recipe.items() if key != "precision"},
        "amp": BFLOAT16 if planned.recipe["precision"] == BFLOAT16 else False,
        **({"distill_model": str(teacher), "dis": planned.teacher.dis} if teacher else {}),
        "model": "model.yaml",  # never read: get_model builds the model
        "data": "manifest",  # never read: get_dataset returns the manifest
        "seed": planned.seed,
        "deterministic": True,
        "device": ",".join(environment.devices()),
        # No early stopping: both arms train for the same number of epochs.
        "patience": planned.recipe["epochs"],
        "pretrained": False,
        "workers": environment.workers(),
        "plots": False,
        "exist_ok": True,
        # An absolute path; otherwise Ultralytics writes into its own runs folder.
        "project": str(workspace.parent),
        "name": workspace.name,
    }


def _published(trainer: ArmTrainer, task: Task) -> tuple[dict[str, Any], str]:
    """The best epoch's checkpoint in Ultralytics' format, and the digest of its weights.

    Optimizer, date, git state and absolute paths are left out; the rest depends on the training only. Settings are as
    they were asked for: a trainer that has trained has some of its own choice in their place.
    """
    best = trainer.best_epoch
    model = trainer.get_model().half().eval().requires_grad_(False)
    model.load_state_dict(best.tensors)
    model.names = trainer.data["names"]
    settings = vars(trainer.args) | _settings(task)
    settings = {key: value for key, value in settings.items() if key not in _LOCAL_SETTINGS}
    model.args = settings
    published = {
        "epoch": best.epoch,
        "model": model,
        "ema": None,
        "optimizer": None,
        "train_args": settings,
        "train_metrics": best.metrics,
        "version": ultralytics_version,
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
    }
    return published, bridge.weights_digest(model)


_LOCAL_SETTINGS = frozenset({"project", "name", "save_dir", "device", "data", "model", "workers", "distill_model"})
