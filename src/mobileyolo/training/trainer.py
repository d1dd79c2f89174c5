"""Ultralytics' trainer, with the manifest as dataset and one recipe for both arms."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator
from ultralytics.nn.distill_model import DistillationModel
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import unwrap_model

from mobileyolo.core.backbones import Trainee
from mobileyolo.core.errors import TrainingError
from mobileyolo.core.files import ModelFiles, model_file, read_mapping, start_weights_file
from mobileyolo.loading import ManifestDataset, SplitLabels, build_dataset
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict
from mobileyolo.models.weights import Tensors, read_saved
from mobileyolo.training.resuming import Continuation, State, capture, draws, restore

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

BFLOAT16 = "bf16"  # Ultralytics' setting amp, which checks nothing then; any other check of AMP downloads weights

MAX_DET = 300  # boxes an image in the validation after each epoch; as the comment at evaluate.max_det says

EpochListener = Callable[[int, dict[str, float]], None]  # epoch, counted from 1, and values by HISTORY_COLUMNS


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
    def read(cls, arm: Trainee, seed: int) -> ArmModel:
        """Read the files of the stages build and teach."""
        files = ModelFiles(arm, seed)
        return cls(
            architecture=read_mapping(model_file(arm)),
            start=read_saved(start_weights_file(arm)),
            teacher=files.teacher_weights if files.teacher_weights.is_file() else None,
        )


@dataclass(frozen=True)
class BestEpoch:
    """The weights of the epoch with the highest fitness on val, the later one of equals.

    Attributes:
        epoch: counted from 1.
        tensors: of the model's exponential moving average, by name, in half precision.
        metrics: of that epoch's validation, by Ultralytics' names.
    """

    epoch: int
    tensors: Tensors
    metrics: dict[str, float]


class ArmTrainer(DetectionTrainer):
    """Ultralytics' trainer with our model and dataset, which records every epoch and goes on after a stop.

    Attributes:
        history: a row for each epoch, see `Trained`.
        best_epoch: so far; not there before the first epoch has ended.
    """

    best_epoch: BestEpoch

    model: Any  # the parent's
    _drawn: list[State]  # after the last epoch

    def __init__(
        self,
        settings: dict[str, Any],
        model: ArmModel,
        data: dict[str, Any],
        on_epoch: EpochListener,
        state: State | None = None,
    ) -> None:
        self._arm_model = model
        self._dataset = data
        self._accumulated = 1
        self._continuation = Continuation(self, state) if state else None
        super().__init__(overrides=settings)
        self._batch_asked = self.args.batch
        self.history: list[dict[str, float]] = list(state["history"]) if state else []
        if state:
            self.best_epoch = BestEpoch(**state["best_epoch"])
        self._on_epoch = on_epoch
        self._batches = 0  # begun, over all epochs
        self._last_step = state["last_step"] if state else -1  # the batch, from 0, with the optimizer's last step
        self.add_callback("on_train_start", self._begin)
        self.add_callback("on_train_epoch_start", self._begin_epoch)
        self.add_callback("on_train_batch_start", self._count_batch)
        # Called in each epoch after validation and `save_model`.
        self.add_callback("on_fit_epoch_end", self._record_epoch)

    @property
    def accumulate(self) -> int:
        """Batches between two steps of the optimizer; more until the first step after a stop, see `Continuation`."""
        return self._accumulated + (self._continuation.lag if self._continuation else 0)

    @accumulate.setter
    def accumulate(self, batches: int) -> None:
        self._accumulated = batches

    def state(self) -> State:
        """All that the next epoch depends on, and the results so far."""
        state = capture(self, self._last_step, self._drawn)
        return {**state, "history": self.history, "best_epoch": vars(self.best_epoch)}

    def resume_training(self, ckpt: object) -> None:
        """Go on from our state; Ultralytics' own would not be exact. Called at the end of its setup."""
        super().resume_training(ckpt)
        if self._continuation:
            restore(self, self._continuation.state)
            self._batches = self.start_epoch * len(self.train_loader)

    def optimizer_step(self) -> None:
        """As the parent's; remembers the batch."""
        super().optimizer_step()
        self._last_step = self._batches - 1
        if self._continuation:
            self._continuation.lag = 0

    def save_model(self) -> bool:
        """Remember the best epoch; the parent would write last.pt and best.pt."""
        if self.fitness == self.best_fitness:
            model = self.ema.ema
            student = model.student_model if isinstance(model, DistillationModel) else model
            self.best_epoch = BestEpoch(
                epoch=self.epoch + 1,
                # Weights beyond half precision's range become its largest numbers, as in Ultralytics' own checkpoints.
                tensors={
                    name: torch.nan_to_num(value.half()) if value.is_floating_point() else value.clone()
                    for name, value in student.state_dict().items()
                },
                metrics={name: float(value) for name, value in {**self.metrics, "fitness": self.fitness}.items()},
            )
        return True

    def get_dataset(self) -> dict[str, Any]:
        """The dataset from the manifest, instead of one from a data YAML."""
        return self._dataset

    def get_model(self, cfg: object = None, weights: object = None, verbose: bool = True) -> DetectionModel:
        """The arm's model with its pretrained tensors; all others are random."""
        model = bridge.build_model(self._arm_model.architecture)
        model.load_state_dict(model.state_dict() | self._arm_model.start)
        return model

    def set_model_attributes(self) -> None:
        """As the parent's; then the model gets its teacher, whose file Ultralytics 8.4 would unpickle as it is.

        On a CPU its tensors lie channels last, as Ultralytics has them on a GPU: oneDNN is faster so.
        """
        super().set_model_attributes()
        if self._arm_model.teacher:
            self.model = DistillationModel(bridge.load_model(self._arm_model.teacher), self.model)
        if self.device.type == "cpu":
            self.model = self.model.to(memory_format=torch.channels_last)

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
            self.test_loader, save_dir=self.save_dir, args=copy.copy(self.args), _callbacks=self.callbacks
        )

    def final_eval(self) -> None:
        """Do nothing: the stage evaluate measures best.pt, on another split."""

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Raise an error where the parent would return to the last checkpoint: the other arm would not do so.

        The parent's would not look at the first epoch, and after a stop it would take the next one for that.
        """
        fitness = 0.0 if RANK > 0 else self.fitness  # the process of the first GPU alone has it
        if not (bool(self.loss.isfinite()) and math.isfinite(fitness)):
            raise TrainingError(
                f"loss or fitness was NaN or infinite in epoch {epoch + 1}; Ultralytics would continue from the last "
                "checkpoint, which puts the arms on unequal terms; lower train.lr0 for both"
            )
        return False

    def _begin(self, _trainer: BaseTrainer) -> None:
        if self.args.amp == BFLOAT16 and self.device.type == "cpu":
            self.args.amp = True  # which is bfloat16 on a CPU; by its name Ultralytics 8.4 takes it on a GPU only
        if self._continuation:
            self._continuation.before_loop()

    def _begin_epoch(self, _trainer: BaseTrainer) -> None:
        self._check_batch()  # it begins the epoch again
        if self._continuation and self.epoch == self.start_epoch:
            self._continuation.before_first_epoch()

    def _check_batch(self) -> None:
        if self.args.batch != self._batch_asked:
            raise TrainingError(
                f"out of memory: Ultralytics lowered the batch from {self._batch_asked} to {self.args.batch}, "
                "which puts the arms on unequal terms; lower train.batch for both"
            )

    def _count_batch(self, _trainer: BaseTrainer) -> None:
        self._batches += 1

    def _record_epoch(self, _trainer: BaseTrainer) -> None:
        self._check_batch()
        self._drawn = draws(self)
        if RANK > 0:  # of several GPUs, the first one's process has the metrics
            return
        values = {**self.label_loss_items(self.tloss), **self.metrics}
        columns = HISTORY_COLUMNS | (DISTILLATION_COLUMN if self.args.distill_model else {})
        row = {column: float(values[name]) for column, name in columns.items()}
        self.history.append({"epoch": self.epoch + 1, **row})
        self._on_epoch(self.epoch + 1, row)
