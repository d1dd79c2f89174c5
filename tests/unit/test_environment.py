from __future__ import annotations

import os
from pathlib import Path

import pytest

from mobileyolo import environment
from mobileyolo.errors import ConfigError, StageError
from stages import seed_of_stage
from tests.unit.test_training import make_params


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILEYOLO_THREADS", "many"),
        ("MOBILEYOLO_THREADS", "0"),
        ("MOBILEYOLO_DEVICE", "0,1"),  # two GPUs for one model: neither trainer nor measurement is made for it
        ("MOBILEYOLO_DEVICE", "gpu"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_the_choices(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: {value!r}: choose"):
        environment.threads() if name.endswith("THREADS") else environment.device()


@pytest.mark.parametrize("value", ["", "cpu", "mps", "0", "3"])
def test_a_device_is_spelt_as_ultralytics_does(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", value)
    assert environment.device() == value


def test_isolating_switches_off_what_would_reach_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ULTRALYTICS_API_KEY", "secret")
    monkeypatch.delenv("YOLO_OFFLINE", raising=False)
    monkeypatch.setenv("YOLO_CONFIG_DIR", "elsewhere")
    environment.isolate(tmp_path)
    assert "ULTRALYTICS_API_KEY" not in os.environ
    assert os.environ["YOLO_OFFLINE"] == "1"
    assert os.environ["YOLO_CONFIG_DIR"] == str(tmp_path / ".mobileyolo")


@pytest.mark.parametrize(
    ("stage", "seed"), [("train@baseline-0", 0), ("evaluate@candidate-10", 10), ("train@candidate-1", 1)]
)
def test_a_stage_has_the_seed_in_its_name(monkeypatch: pytest.MonkeyPatch, stage: str, seed: int) -> None:
    params = make_params(Path("data")).model_copy(update={"seeds": (0, 1, 10)})
    monkeypatch.setenv("DVC_STAGE", stage)
    assert seed_of_stage(params) == seed


@pytest.mark.parametrize("stage", ["", "train@baseline", "train@baseline-7", "train@baseline-0; touch pwned"])
def test_a_stage_without_a_known_seed_is_refused(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.setenv("DVC_STAGE", stage)
    with pytest.raises(StageError, match="run this stage as `dvc repro"):
        seed_of_stage(make_params(Path("data")))
