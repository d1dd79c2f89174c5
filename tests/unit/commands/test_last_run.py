from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from mobileyolo import progress
from mobileyolo.commands.last_run import staleness
from mobileyolo.core.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """params.yaml as it is shipped, and a dvc.lock of a run with it."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    trained = {f"train.{key}": params["train"][key] for key in ("epochs", "lr0")}
    stages = {
        "digits": {"params": {"params.yaml": {"digits": params["digits"]}}},
        "train@candidate-0": {"params": {"params.yaml": trained}},
        "train@candidate-7": {"params": {"params.yaml": {"train.epochs": 99}}},  # of a seed that was dropped since
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_result_of_the_present_parameters_is_not_stale(workspace: Path) -> None:
    assert list(staleness()) == []


def test_a_changed_parameter_is_named_with_both_values(workspace: Path) -> None:
    file = workspace / "params.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("epochs: 4", "epochs: 8").replace("train: 800", "train: 300"), encoding="utf-8")
    (line,) = staleness()
    assert "digits.train: 800 -> 300; train.epochs: 4 -> 8" in line
    assert line.endswith("run dvc repro")


def test_seeds_that_are_no_list_are_named(workspace: Path) -> None:
    file = workspace / "params.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("seeds: [0]", "seeds: 3"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"seeds: 3: input should be a list of whole numbers, such as \[3\]"):
        list(staleness())


def test_another_dataset_is_told(workspace: Path) -> None:
    lock = yaml.safe_load((workspace / "dvc.lock").read_text(encoding="utf-8"))
    lock["stages"]["validate"] = {"deps": [{"path": "data/raw/digits"}, {"path": "src/mobileyolo/core"}]}
    (workspace / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    assert list(staleness()) == []
    file = workspace / "params.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("data/raw/digits", "/data/helmets"), encoding="utf-8")
    (line,) = staleness()
    assert "data.dir: another folder -> /data/helmets" in line


def test_a_failure_is_forgotten_with_the_parameters_that_it_came_from(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = workspace / "params.yaml"
    good = file.read_text(encoding="utf-8")
    file.write_text(good.replace("epochs: 4", "epochs: none"), encoding="utf-8")
    monkeypatch.setenv("DVC_STAGE", "check")
    progress.record_failure("train.epochs: 'none': input should be a valid integer")
    assert any("The last run failed" in line for line in staleness())
    file.write_text(good, encoding="utf-8")
    assert list(staleness()) == []


def test_a_failed_run_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@candidate-0")
    progress.record_failure("the loss was NaN in epoch 3")
    (line,) = staleness()
    assert "The last run failed" in line
    assert "train@candidate-0: the loss was NaN in epoch 3" in line
