"""Ultralytics raises its default of 300 boxes an image to what a crowded image holds; params.yaml would not say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from ultralytics.utils.torch_utils import unwrap_model

from mobileyolo.evaluation.evaluator import RecordingValidator
from mobileyolo.training.trainer import MAX_DET
from tests.miniature import IMGSZ, make_data, make_trainer


@pytest.mark.parametrize("crowd", [2, MAX_DET + 1], ids=["an ordinary image", "more boxes than max_det"])
def test_validation_while_training_counts_as_many_boxes_whatever_the_dataset_holds(tmp_path: Path, crowd: int) -> None:
    trainer = make_trainer(tmp_path, make_data(tmp_path / "dataset", crowd))
    trainer.train()
    assert max(len(label["cls"]) for label in trainer.test_loader.dataset.labels) == crowd
    assert trainer.validator.args.max_det == MAX_DET
    assert trainer.args.max_det == MAX_DET
    assert unwrap_model(trainer.model).model[-1].max_det == MAX_DET


def test_evaluation_counts_as_many_boxes_as_asked_even_where_that_is_the_default(tmp_path: Path) -> None:
    data = make_data(tmp_path / "dataset", crowd=MAX_DET + 1)
    trainer = make_trainer(tmp_path, data)
    trainer.train()
    settings = {"task": "detect", "split": "val", "imgsz": IMGSZ, "max_det": MAX_DET, "plots": False}
    validator = RecordingValidator(settings, tmp_path / "evaluation")
    validator.dataloader = trainer.test_loader
    validator.data = data
    validator.training = False
    validator.init_metrics(trainer.ema.ema)
    assert validator.args.max_det == MAX_DET
