"""The training of one arm: Ultralytics' trainer, with the manifest as dataset and one recipe for both arms."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator
from ultralytics.nn.distill_model import DistillationModel
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import unwrap_model

from mobileyolo.core import environment
from mobileyolo.core.backbones import Arm, width_of
from mobileyolo.core.errors import TrainingError
from mobileyolo.core.files import ModelFiles, digest_of, model_file, read_mapping, start_weights_file, write_table
from mobileyolo.core.records import DatasetCard, Manifest, StartRecord, Teacher, TrainingPlan, TrainingRecord
from mobileyolo.loading import ManifestDataset, SplitLabels, build_dataset, dataset_dictionary
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict
from mobileyolo.models.checkpoints import read_checkpoint
from mobileyolo.models.weights import Tensors, read_saved, save
from mobileyolo.training.parameters import TrainingRecipe

# Columns of history.csv, and their names in Ultralytics 8.4.
HISTORY_COLUMNS = {
    "train_box_loss": "train/box_loss",
    "train_cls_loss": "train/cls_loss",
    "train_dfl_loss": "train/dfl_loss",
    "val_box_loss": "val/box_loss",
    "val_cls_loss": "val/cls_loss",
    "val_dfl_loss": "val/dfl_loss",
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
    "map50": "metrics/mAP50(B)",
    "map50_95": "metrics/mAP50-95(B)",
}

DISTILLATION_COLUMN = {"train_dis_loss": "train/dis_loss"}  # the last column, only with a teacher

MAX_DET = 300  # boxes an image in the validation after each epoch; as the comment at evaluate.max_det says

EpochListener = Callable[[int, dict[str, float]], None]  # epoch, counted from 1, and values by HISTORY_COLUMNS


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        history: one row for each epoch; columns epoch, HISTORY_COLUMNS and, with a teacher, DISTILLATION_COLUMN.
        checkpoint: content of best.pt.
    """

    record: TrainingRecord
    history: pd.DataFrame
    checkpoint: dict[str, Any]

    def write(self, files: ModelFiles) -> None:
        """Write the model's files, each completely or not at all."""
        write_table(files.history, self.history)
        self.record.write(files.training)
        save(self.checkpoint, files.weights)


@dataclass(frozen=True)
class ArmModel:
    """The model before its training.

    Attributes:
        architecture: model dictionary.
        start: pretrained tensors by name; all others start at random.
        teacher: checkpoint of the teacher, if there is one.
    """

    architecture: ModelDict
    start: Tensors
    teacher: Path | None

    @classmethod
    def read(cls, arm: Arm, seed: int) -> ArmModel:
        """Read the files of the stages build and teach."""
        files = ModelFiles(arm, seed)
        return cls(
            architecture=read_mapping(model_file(arm)),
            start=read_saved(start_weights_file(arm)),
            teacher=files.teacher_weights if files.teacher_weights.is_file() else None,
        )


class ArmTrainer(DetectionTrainer):
    """Ultralytics' trainer with our model and dataset, which also records every epoch."""

    model: Any  # the parent's

    def __init__(
        self,
        settings: dict[str, Any],
        model: ArmModel,
        data: dict[str, Any],
        on_epoch: EpochListener,
    ) -> None:
        self._arm_model = model
        self._dataset = data
        super().__init__(overrides=settings)
        self._batch_asked = self.args.batch
        self.history: list[dict[str, float]] = []
        self._on_epoch = on_epoch
        # Called in each epoch after validation and checkpoint.
        self.add_callback("on_fit_epoch_end", self._record_epoch)

    def get_dataset(self) -> dict[str, Any]:
        """The dataset from the manifest, instead of one from a data YAML."""
        return self._dataset

    def get_model(self, cfg: object = None, weights: object = None, verbose: bool = True) -> DetectionModel:
        """The arm's model with its pretrained tensors; all others are random."""
        model = bridge.build_model(self._arm_model.architecture)
        model.load_state_dict(model.state_dict() | self._arm_model.start)
        return model

    def set_model_attributes(self) -> None:
        """As the parent's; then the model gets its teacher, whose file Ultralytics 8.4 would unpickle as it is."""
        super().set_model_attributes()
        if self._arm_model.teacher:
            self.model = DistillationModel(bridge.load_model(self._arm_model.teacher), self.model)

    def build_dataset(self, img_path: SplitLabels, mode: str = "train", batch: int | None = None) -> ManifestDataset:
        """A dataset from the manifest."""
        stride = max(int(unwrap_model(self.model).stride.max()), 32)
        return build_dataset(
            img_path, self.args, self.data, batch=batch or self.batch_size, stride=stride, augment=mode == "train"
        )

    def _build_train_pipeline(self) -> None:
        """As the parent's, but max_det stays: Ultralytics 8.4 raises it to the most boxes that an image has."""
        self.args.max_det = sys.maxsize  # above any image, so that there is nothing to raise or to warn of
        super()._build_train_pipeline()
        self.args.max_det = MAX_DET
        unwrap_model(self.model).set_head_attr(max_det=MAX_DET)

    def get_validator(self) -> DetectionValidator:
        """Ultralytics' own validator. The parent's method is replaced because it looks at folder names."""
        return DetectionValidator(
            self.test_loader, save_dir=self.save_dir, args=copy(self.args), _callbacks=self.callbacks
        )

    def final_eval(self) -> None:
        """Do nothing: the stage evaluate measures best.pt, on another split."""

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Raise an error where the parent would return to the last checkpoint: the other arm would not do so."""
        if super()._handle_nan_recovery(epoch):
            raise TrainingError(
                f"loss or fitness was NaN or infinite in epoch {epoch + 1}; Ultralytics would continue from the last "
                "checkpoint, which puts the arms on unequal terms; lower train.lr0 for both"
            )
        return False

    def _record_epoch(self, _trainer: BaseTrainer) -> None:
        if self.args.batch != self._batch_asked:
            raise TrainingError(
                f"out of memory: Ultralytics lowered the batch from {self._batch_asked} to {self.args.batch}, "
                "which puts the arms on unequal terms; lower train.batch for both"
            )
        values = {**self.label_loss_items(self.tloss), **self.metrics}
        columns = HISTORY_COLUMNS | (DISTILLATION_COLUMN if self.args.distill_model else {})
        row = {column: float(values[name]) for column, name in columns.items()}
        self.history.append({"epoch": self.epoch + 1, **row})
        self._on_epoch(self.epoch + 1, row)


def plan(
    arm: Arm, seed: int, recipe: TrainingRecipe, card: DatasetCard, start: StartRecord, teacher: Teacher
) -> TrainingPlan:
    """Collect what params.yaml and earlier stages say about one training.

    Args:
        arm: baseline or candidate.
        seed: of the initial weights, the data order and the augmentation.
        recipe: how both arms are trained.
        card: what validation found the dataset to be.
        start: the arm's backbone and initial weights.
        teacher: of the arm.
    """
    equal_terms = {
        "data": card.digest,
        "train": recipe.model_dump(),
        "engine": bridge.engine(),
        "offered": {role: source.digest for role, source in start.offered.items()},
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
        engine=bridge.engine(),
        recipe_digest=digest_of(equal_terms),
    )


def train(
    planned: TrainingPlan,
    root: Path,
    card: DatasetCard,
    manifest: Manifest,
    model: ArmModel,
    on_epoch: EpochListener,
) -> Trained:
    """Train one arm with one seed.

    Args:
        planned: the training.
        root: the dataset's folder.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.
        model: the model before its training.
        on_epoch: called with each epoch's losses and validation metrics.

    Raises:
        TrainingError: Ultralytics departed from the recipe: it lowered the batch because memory ran out, or wanted to
            return to the last checkpoint because loss or fitness was NaN or infinite.
    """
    bridge.prepare()
    data = dataset_dictionary(manifest, card.names, root, ("train", "val"))
    state = environment.STATE_DIR.resolve()
    state.mkdir(exist_ok=True)
    # A folder of its own, so that no other training that still runs can write a checkpoint there.
    with tempfile.TemporaryDirectory(dir=state, prefix=f"{planned.arm}-s{planned.seed}-") as workspace:
        settings = _settings(planned, model.teacher, Path(workspace))
        trainer = ArmTrainer(settings, model, data, on_epoch)
        trainer.train()
        checkpoint, digest = _published(trainer)
    return Trained(
        record=TrainingRecord(**planned.model_dump(), best_epoch=checkpoint["epoch"], weights_digest=digest),
        history=pd.DataFrame(trainer.history),
        checkpoint=checkpoint,
    )


def _settings(planned: TrainingPlan, teacher: Path | None, workspace: Path) -> dict[str, Any]:
    """Ultralytics' train settings."""
    return {
        **planned.recipe,
        **({"distill_model": str(teacher), "dis": planned.teacher.dis} if teacher else {}),
        "model": "model.yaml",  # never read: get_model builds the model
        "data": "manifest",  # never read: get_dataset returns the manifest
        "seed": planned.seed,
        "deterministic": True,
        "device": environment.device(),
        # No early stopping: both arms train for the same number of epochs.
        "patience": planned.recipe["epochs"],
        "pretrained": False,
        # Ultralytics' check of AMP downloads weights.
        "amp": False,
        "plots": False,
        "exist_ok": True,
        # An absolute path; otherwise Ultralytics writes into its own runs folder.
        "project": str(workspace.parent),
        "name": workspace.name,
    }


def _published(trainer: ArmTrainer) -> tuple[dict[str, Any], str]:
    """The best epoch's checkpoint in Ultralytics' format, and the digest of its weights.

    Optimizer, date, git state and absolute paths are left out; the rest depends on the training only.
    """
    best = read_checkpoint(trainer.best)
    model = _student(best["ema"])
    settings = {key: value for key, value in best["train_args"].items() if key not in _LOCAL_SETTINGS}
    model.args = settings
    published = {
        "epoch": best["epoch"] + 1,
        "model": model,
        "ema": None,
        "optimizer": None,
        "train_args": settings,
        "train_metrics": best["train_metrics"],
        "version": best["version"],
        "license": best["license"],
    }
    return published, bridge.weights_digest(model)


_LOCAL_SETTINGS = frozenset({"project", "name", "save_dir", "device", "data", "model", "workers", "distill_model"})


def _student(model: Any) -> Any:
    """The trained model, without the parts that only distillation needs."""
    if not isinstance(model, DistillationModel):
        return model
    model._remove_feature_hooks()
    student = model.student_model
    student.criterion = None
    return student
