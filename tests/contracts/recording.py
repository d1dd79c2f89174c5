"""Small trainings and evaluations that note how Ultralytics calls what ours override."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mobileyolo.evaluation.evaluator import RecordingValidator
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.training.trainer import ArmTrainer
from tests.miniature import IMGSZ, NAMES, make_data, make_trainer

TRAINER_HOOKS = (
    "get_dataset",
    "get_model",
    "set_model_attributes",
    "build_dataset",
    "_build_train_pipeline",
    "get_validator",
    "resume_training",
    "optimizer_step",
    "_close_dataloader_mosaic",
    "save_model",
    "_handle_nan_recovery",
    "final_eval",
    "_record_epoch",
)
VALIDATOR_HOOKS = ("build_dataset", "init_metrics", "_check_max_det", "_process_batch")


class Call(NamedTuple):
    """One call: the method, what it was given, and what it returned."""

    name: str
    given: tuple[Any, ...]
    named: dict[str, Any]
    returned: Any


@dataclass(frozen=True)
class Recorded:
    """What was called, in order, and on what."""

    calls: Sequence[Call]
    subject: Any
    data: dict[str, Any]

    def of(self, name: str) -> list[Call]:
        """The calls of one method."""
        return [call for call in self.calls if call.name == name]

    @property
    def order(self) -> list[str]:
        """The methods' names, in the order of their calls."""
        return [call.name for call in self.calls]


def recording(kind: type[Any], names: Sequence[str], calls: list[Call]) -> type[Any]:
    """A class made of another that notes the calls of some methods.

    Args:
        kind: the class.
        names: its methods.
        calls: where to note them.
    """

    def noted(name: str) -> Any:
        def method(self: Any, *given: Any, **named: Any) -> Any:
            returned = getattr(super(made, self), name)(*given, **named)
            calls.append(Call(name, given, named, returned))
            return returned

        return method

    made: type[Any] = type(f"Noting{kind.__name__}", (kind,), {name: noted(name) for name in names})
    return made


def train(kind: type[ArmTrainer] = ArmTrainer, teacher: Path | None = None, **changes: Any) -> Recorded:
    """Train for two epochs, with other settings of Ultralytics' if asked."""
    calls: list[Call] = []
    folder = Path(tempfile.mkdtemp(prefix="mobileyolo-contract-"))
    data = make_data(folder / "dataset")
    trainer = make_trainer(folder, data, recording(kind, TRAINER_HOOKS, calls), teacher, **changes)
    trainer.train()
    return Recorded(calls, trainer, data)


@cache
def trained() -> Recorded:
    """A training that all tests of a process share."""
    return train()


def evaluate() -> Recorded:
    """Evaluate a model with fresh weights on the validation images."""
    calls: list[Call] = []
    folder = Path(tempfile.mkdtemp(prefix="mobileyolo-contract-"))
    data = make_data(folder / "dataset")
    torch.manual_seed(0)
    model = bridge.build_model(model_dict("mnv1_n", len(NAMES), bridge.stock_architecture())).eval()
    model.names = data["names"]
    settings = {
        "task": "detect",
        "data": "manifest.yaml",
        "split": "val",
        "imgsz": IMGSZ,
        "batch": 2,
        "conf": 0.0001,
        "device": "cpu",
        "plots": False,
    }
    validator = recording(RecordingValidator, VALIDATOR_HOOKS, calls)(settings, folder / "evaluation")
    with bridge.serving(data):
        validator(model=model)
    return Recorded(calls, validator, data)


@cache
def evaluated() -> Recorded:
    """An evaluation that all tests of a process share."""
    return evaluate()
