from __future__ import annotations

import torch
from ultralytics.engine import validator
from ultralytics.utils import SETTINGS, torch_utils

from mobileyolo.core import environment
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict


def test_preparing_switches_integrations_off_and_sets_the_threads() -> None:
    bridge.prepare()
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
