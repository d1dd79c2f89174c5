from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.costs import latency
from mobileyolo.costs.latency import ORDER, Suppression, gpu_settings, measure_latency, rounds_of
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict

STOCK = bridge.stock_architecture()
IMAGES = np.random.default_rng(0).random((8, 3, 32, 64), dtype=np.float32)
OPTIONS = LatencyOptions(rounds=7, threads=1)


def make_models() -> dict[Arm, DetectionModel]:
    return {
        "baseline": bridge.build_model(model_dict("yolo11n", 1, STOCK)),
        "candidate": bridge.build_model(model_dict("mnv1_n", 1, STOCK)),
    }


def make_suppression(confidence: float = 0.25) -> Suppression:
    return Suppression(confidences={"baseline": confidence, "candidate": confidence / 2}, iou=0.7, max_det=10)


def test_every_setting_has_a_time_for_each_arm_and_round_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "cpu")
    threads = torch.get_num_threads()
    before = datetime.now(UTC).replace(microsecond=0)
    record = measure_latency(make_models(), IMAGES, make_suppression(), OPTIONS)
    assert before <= datetime.fromisoformat(record.measured) <= datetime.now(UTC)
    assert record.machine
    assert {name: (timing.batch, timing.suppression) for name, timing in record.timings.items()} == {
        "latency_ms": (1, False),
        "latency_onnx_ms": (1, False),
        "latency_nms_ms": (1, True),
        "latency_batch8_ms": (8, False),
        "latency_onnx_batch8_ms": (8, False),
    }
    for name, timing in record.timings.items():
        assert (timing.height, timing.width) == (32, 64)
        assert timing.engine.startswith("ONNX Runtime " if "onnx" in name else "PyTorch ")
        rounds = {1: 7, 8: 6}[timing.batch]
        assert {arm: len(values) for arm, values in timing.rounds_ms.items()} == {
            "baseline": rounds,
            "candidate": rounds,
        }
        assert all(value > 0 for values in timing.rounds_ms.values() for value in values)
    assert torch.get_num_threads() == threads
    assert list((tmp_path / ".mobileyolo").iterdir()) == []


def test_a_round_is_baseline_candidate_candidate_baseline_on_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Arm, float]] = []
    durations = {"baseline": iter((1, 2) * 10), "candidate": iter((3, 5) * 10)}
    now = [0.0]

    def run(arm: Arm, images: np.ndarray) -> None:
        calls.append((arm, float(images[0, 0, 0, 0])))
        now[0] += next(durations[arm]) / 1e3

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    images = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
    passes: Mapping[Arm, latency.Pass] = {
        "baseline": lambda x: run("baseline", x),
        "candidate": lambda x: run("candidate", x),
    }
    times = latency._timed("some", latency.Setting("engine", images, 1, passes), rounds=3)
    assert calls == [(arm, image) for image in (0, 1, 2, 0) for arm in ORDER]  # the first round is not counted
    assert times == {"baseline": (1.5, 1.5, 1.5), "candidate": (4.0, 4.0, 4.0)}


@pytest.mark.parametrize(
    ("batch", "rounds", "expected"), [(1, 15, 15), (8, 15, 6), (8, 80, 10)], ids=["one image", "fewest", "an eighth"]
)
def test_more_images_a_pass_take_fewer_rounds(batch: int, rounds: int, expected: int) -> None:
    assert rounds_of(batch, rounds) == expected


def test_suppression_is_timed_at_each_arms_own_confidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "cpu")
    seen: set[tuple[float, float, int]] = set()
    shapes = set()

    def suppress(output: torch.Tensor, confidence: float, iou: float, *, max_det: int) -> None:
        seen.add((confidence, iou, max_det))
        shapes.add(tuple(output.shape))

    monkeypatch.setattr(latency, "non_max_suppression", suppress)
    measure_latency(make_models(), IMAGES, make_suppression(0.5), OPTIONS)
    assert seen == {(0.5, 0.7, 10), (0.25, 0.7, 10)}
    assert shapes == {(1, 4 + 1, 8 * 4 + 4 * 2 + 2 * 1)}  # xywh and a class, at strides 8, 16 and 32


def test_onnx_runtime_gives_the_models_outputs_for_any_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "cpu")
    settings = latency._settings(make_models(), IMAGES, make_suppression(), 1, tmp_path / "exported")
    for batch, names in ((1, ("latency_ms", "latency_onnx_ms")), (8, ("latency_batch8_ms", "latency_onnx_batch8_ms"))):
        for arm in ARMS:
            expected, found = (np.asarray(settings[name].passes[arm](IMAGES[:batch])) for name in names)
            np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_pass_on_a_gpu_waits_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda _device: events.append("waited"))
    models = {arm: model.fuse(verbose=False).eval() for arm, model in make_models().items()}
    for model in models.values():
        model.register_forward_hook(lambda *_: events.append("ran"))
    settings = gpu_settings(models, IMAGES, torch.device("cpu"))
    assert {name: setting.batch for name, setting in settings.items()} == {
        "latency_gpu_ms": 1,
        "latency_gpu_batch8_ms": 8,
    }
    for setting in settings.values():
        for run in setting.passes.values():
            events.clear()
            run(setting.images[: setting.batch])
            assert events == ["ran", "waited"]
