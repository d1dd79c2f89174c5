from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch
from ultralytics.engine import validator
from ultralytics.utils import SETTINGS, torch_utils

from mobileyolo.core import environment
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict


def test_preparing_switches_integrations_off_and_sets_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv("MOBILEYOLO_THREADS", str(before + 1))
    try:
        bridge.prepare()
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert not any(SETTINGS[name] for name in ("mlflow", "dvc", "wandb", "comet", "clearml", "sync", "openvino_msg"))
    assert environment.threads() == torch_utils.NUM_THREADS


def test_serving_a_dataset_ends_with_the_block() -> None:
    original = validator.check_det_dataset
    with bridge.serving({"nc": 1}):
        assert validator.check_det_dataset("anything") == {"nc": 1}
    assert validator.check_det_dataset is original


def test_a_digest_tells_weights_apart_and_nothing_else() -> None:
    architecture = model_dict("mnv1_n", 1, bridge.stock_architecture())
    torch.manual_seed(0)
    one = bridge.build_model(architecture)
    torch.manual_seed(0)
    same = bridge.build_model(architecture)
    assert bridge.weights_digest(one) == bridge.weights_digest(same)
    with torch.no_grad():
        next(iter(same.parameters())).flatten()[0] += 1e-3
    assert bridge.weights_digest(one) != bridge.weights_digest(same)


def test_the_engine_is_what_weights_depend_on_besides_the_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "cpu")
    monkeypatch.setenv("MOBILEYOLO_THREADS", "3")
    engine = bridge.engine()
    packages = {"ultralytics", "torch", "numpy", "opencv-python", "pillow"}
    assert engine.keys() == packages | {"device", "threads", "instructions", "workers"}
    assert all(engine.values())
    assert (engine["device"], engine["threads"], engine["workers"]) == ("cpu", "3", "0")


@pytest.mark.parametrize(("cores", "gpus", "workers"), [(16, 1, "4"), (2, 1, "2"), (4, 2, "2")])
def test_the_engine_counts_loader_workers_as_ultralytics_does(
    monkeypatch: pytest.MonkeyPatch, cores: int, gpus: int, workers: str
) -> None:
    monkeypatch.setattr(torch_utils, "select_device", lambda *_, **__: SimpleNamespace(type="cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert bridge.engine()["workers"] == workers
    assert "gpus" not in bridge.engine()


def test_the_engine_counts_the_gpus_that_train_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_utils, "select_device", lambda *_, **__: SimpleNamespace(type="cuda"))
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "0,2")
    assert bridge.engine()["gpus"] == "2"
