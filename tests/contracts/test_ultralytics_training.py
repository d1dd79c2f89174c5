"""What training/trainer.py relies on in Ultralytics' trainer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.contracts.table import contract


@contract("BaseTrainer.get_dataset")
def test_the_trainer_asks_for_the_dataset() -> None:
    from tests.contracts.recording import trained

    recorded = trained()
    assert [(call.given, call.named) for call in recorded.of("get_dataset")] == [((), {})]
    assert recorded.subject.data is recorded.data


@contract("BaseTrainer.get_model")
def test_the_trainer_asks_for_the_model() -> None:
    from tests.contracts.recording import trained

    recorded = trained()
    (call,) = recorded.of("get_model")
    assert recorded.subject.model is call.returned


@contract("DetectionTrainer.build_dataset")
def test_the_trainer_asks_for_both_splits() -> None:
    from tests.contracts.recording import trained

    recorded = trained()
    asked = [call.given[:2] for call in recorded.of("build_dataset")]
    assert asked == [(recorded.data["train"], "train"), (recorded.data["val"], "val")]


@contract("DetectionTrainer._build_train_pipeline")
def test_the_trainer_builds_its_loaders_before_its_validator() -> None:
    from ultralytics.models.yolo.detect import DetectionTrainer

    from tests.contracts.recording import trained

    order = trained().order
    assert order.count("_build_train_pipeline") == 1
    assert order.index("_build_train_pipeline") < order.index("get_validator")
    assert "_build_train_pipeline" in vars(DetectionTrainer)


@contract("DetectionTrainer.get_validator")
def test_the_trainer_asks_for_the_validator_once() -> None:
    from tests.contracts.recording import trained

    recorded = trained()
    (call,) = recorded.of("get_validator")
    assert recorded.subject.validator is call.returned
    assert call.returned.seen == 2  # images


@contract("BaseTrainer._handle_nan_recovery")
def test_the_trainer_asks_after_each_epoch_whether_to_repeat_it() -> None:
    from mobileyolo.training.trainer import ArmTrainer
    from tests.contracts.recording import train, trained

    recorded = trained()
    asked = [(*call.given, call.returned) for call in recorded.of("_handle_nan_recovery")]
    assert asked == [(0, False), (1, False)]
    epoch = ("optimizer_step", "_handle_nan_recovery", "save_model", "_record_epoch")
    assert recorded.order[-9:] == [*epoch, *epoch, "final_eval"]
    assert recorded.subject.loss.isfinite()
    assert isinstance(float(recorded.subject.fitness), float)

    class Repeating(ArmTrainer):
        answers = iter([True, False, False])

        def _handle_nan_recovery(self, epoch: int) -> bool:
            return next(self.answers)

    assert [call.given for call in train(Repeating).of("_handle_nan_recovery")] == [(0,), (0,), (1,)]


@contract("BaseTrainer.final_eval")
def test_the_trainer_evaluates_once_at_the_end() -> None:
    from tests.contracts.recording import trained

    assert trained().order.count("final_eval") == 1
    assert trained().order[-1] == "final_eval"


@contract("on_fit_epoch_end")
def test_the_trainer_runs_its_callback_once_an_epoch_after_the_checkpoint() -> None:
    from mobileyolo.training.trainer import HISTORY_COLUMNS
    from tests.contracts.recording import trained

    recorded = trained()
    order = [name for name in recorded.order if name in {"get_validator", "save_model", "_record_epoch"}]
    assert order == ["get_validator", "save_model", "_record_epoch", "save_model", "_record_epoch"]
    assert [set(row) for row in recorded.subject.history] == [{"epoch", *HISTORY_COLUMNS}] * 2


@contract("results.csv")
def test_the_trainer_appends_each_epoch_to_a_table() -> None:
    from mobileyolo.study.watching import last_map
    from tests.contracts.recording import trained

    trainer = trained().subject
    assert last_map(Path(trainer.save_dir)) == pytest.approx(trainer.history[-1]["map50_95"], abs=1e-4)


@contract("args.batch")
def test_the_trainer_says_in_its_settings_that_it_went_on_with_a_smaller_batch() -> None:
    from mobileyolo.core.errors import TrainingError
    from mobileyolo.training.trainer import ArmTrainer
    from tests.contracts.recording import train

    class Short(ArmTrainer):
        memory = iter([False])  # enough of it, at the first step

        def preprocess_batch(self, batch: dict[str, Any]) -> Any:
            if not next(self.memory, True):
                raise RuntimeError("CUDA out of memory")
            return super().preprocess_batch(batch)

    with pytest.raises(TrainingError, match="lowered the batch from 2 to 1"):
        train(Short)


@contract("student_model")
def test_a_taught_model_keeps_its_pupil_apart(tmp_path: Path) -> None:
    import torch
    from ultralytics.nn.distill_model import DistillationModel

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict
    from mobileyolo.training.trainer import DISTILLATION_COLUMN
    from tests.contracts.recording import train

    alone = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))
    torch.save({"model": alone}, tmp_path / "teacher.pt")
    trainer = train(teacher=tmp_path / "teacher.pt").subject
    assert set(DISTILLATION_COLUMN) <= trainer.history[0].keys()
    teachers = []
    for model in (trainer.model, trainer.ema.ema):
        assert isinstance(model, DistillationModel)
        assert model.student_model.state_dict().keys() == alone.state_dict().keys()
        names = [name for name in model.state_dict() if name.startswith("teacher_model.")]
        teachers.append([name.removeprefix("teacher_model.") for name in names])
    assert teachers == [list(alone.state_dict()), []]


@contract("DetectionTrainer.set_model_attributes")
def test_a_model_that_has_its_teacher_already_is_given_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from ultralytics.nn import distill_model

    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict
    from tests.miniature import make_data, make_trainer

    class Begun(Exception):  # noqa: N818  # no error, but the end of what is tested
        pass

    def begun(*_: object) -> NoReturn:
        raise Begun

    teacher = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))
    torch.save({"model": teacher}, tmp_path / "teacher.pt")
    monkeypatch.setattr(distill_model, "load_checkpoint", lambda path: pytest.fail(f"{path} was read"))
    trainer = make_trainer(tmp_path, make_data(tmp_path / "dataset"), teacher=tmp_path / "teacher.pt")
    monkeypatch.setattr(trainer, "_build_train_pipeline", begun)
    with pytest.raises(Begun):
        trainer.train()
    assert isinstance(trainer.model, distill_model.DistillationModel)
    assert type(trainer.model.student_model) is type(trainer.model.teacher_model) is type(teacher)


@contract("ema")
def test_the_average_lies_in_memory_as_the_model_does() -> None:
    import torch

    from tests.contracts.recording import train

    trainer = train().subject
    for model in (trainer.model, trainer.ema.ema):
        kernels = [value for value in model.state_dict().values() if value.dim() == 4 and min(value.shape[1:]) > 1]
        assert kernels
        assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)


@contract("args.amp")
def test_a_training_in_bfloat16_keeps_weights_and_validation_in_float32() -> None:
    import torch

    from tests.contracts.recording import train

    types = {}

    def note(module: torch.nn.Module, _given: object, returned: torch.Tensor) -> None:
        types[module.training] = returned.dtype

    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, given, returned: note(module, given, returned) if isinstance(module, torch.nn.Conv2d) else None
    )
    try:
        trainer = train(amp="bf16").subject
    finally:
        hook.remove()
    assert types == {True: torch.bfloat16, False: torch.float32}
    assert {value.dtype for value in trainer.model.parameters()} == {torch.float32}


# A trainer that takes its device for two GPUs.
RANK_SCRIPT = """
from types import SimpleNamespace
from ultralytics.engine import trainer
trainer.parse_device = lambda _: "0,1"
trainer.select_device = lambda _: SimpleNamespace(type="cuda")
trainer.get_torch_device_backend = lambda _: None
trainer.BaseTrainer.get_dataset = lambda _: {}
made = trainer.BaseTrainer(overrides={"model": "model.yaml", "project": "here", "exist_ok": True})
print("told", trainer.RANK, trainer.LOCAL_RANK, made.world_size, made.ddp)
"""


@contract("utils.RANK")
def test_a_process_of_a_gpu_starts_no_others(tmp_path: Path) -> None:
    told = []
    for variables in ({"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}, {}):
        process = subprocess.run(
            [sys.executable, "-c", RANK_SCRIPT],
            cwd=tmp_path,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(next(line for line in process.stdout.splitlines() if line.startswith("told ")))
    assert told == ["told 1 1 2 False", "told -1 -1 2 True"]
