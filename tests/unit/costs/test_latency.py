from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mobileyolo.core.backbones import Arm
from mobileyolo.costs.latency import measure_latency
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict, model_dict

STOCK = bridge.stock_architecture()


def test_both_engines_have_one_figure_for_each_arm_and_round_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    architectures: dict[Arm, ModelDict] = {
        "baseline": model_dict("yolo11n", 1, STOCK),
        "candidate": model_dict("mnv1_n", 1, STOCK),
    }
    threads = torch.get_num_threads()
    record = measure_latency(architectures, 32, LatencyOptions(rounds=5, threads=1))
    assert list(record.engines) == ["latency_ms", "latency_onnx_ms"]
    for timed in record.engines.values():
        assert {arm: len(values) for arm, values in timed.rounds_ms.items()} == {"baseline": 5, "candidate": 5}
        assert all(value > 0 for values in timed.rounds_ms.values() for value in values)
    assert record.engines["latency_ms"].engine.startswith("PyTorch ")
    assert record.engines["latency_onnx_ms"].engine.startswith("ONNX Runtime ")
    assert torch.get_num_threads() == threads
    assert list((tmp_path / ".mobileyolo").iterdir()) == []
