from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
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


PARENT_AND_CHILD = textwrap.dedent(
    """
    import subprocess, sys
    child = "import time; from mobileyolo import environment; environment.end_with_parent(); " \\
            "print('ready', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    print(process.pid, flush=True)
    process.wait()
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux'")
def test_a_training_ends_when_the_process_that_started_it_is_killed() -> None:
    source = Path(__file__).parents[2] / "src"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_AND_CHILD],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait(timeout=60)
    _, alive = psutil.wait_procs([child], timeout=60)
    assert alive == []


@pytest.mark.skipif(sys.platform == "linux", reason="Linux has it")
def test_without_that_protection_there_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="end it by hand"):
        environment.end_with_parent()
