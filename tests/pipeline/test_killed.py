"""`dvc repro` that is killed while it trains, and repeated."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from mobileyolo.core.records import TrainingTime
from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

# Slow, because test_kills.py kills in every stage in each run; this one looks closer at two moments of a training.
pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

STAGE = "train@baseline-0"
PATIENCE = 600  # seconds for what takes a few on an idle machine


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """All is done that comes before the training."""
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    workspace = Workspace.create(tmp_path_factory.mktemp("workspace"), dataset)
    workspace.dvc("repro", "validate", "build@baseline", "teach-baseline@0")
    return workspace


def set_recipe(workspace: Workspace, **values: object) -> None:
    params = workspace.params()
    params["train"] |= values
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def wait_until(condition: Callable[[], object], dvc: subprocess.Popen[bytes]) -> None:
    """Look often, so that a kill comes soon afterwards."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert dvc.poll() is None, "dvc has ended"
        assert time.monotonic() < end
        time.sleep(0.02)


def stages_below(dvc: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Processes of the stage train, its shell among them if that is still there."""
    found = []
    for process in psutil.Process(dvc.pid).children(recursive=True):
        try:
            if any("stages.train" in argument for argument in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill(dvc: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Kill dvc alone; what is still alive of the stage after a while."""
    processes = psutil.Process(dvc.pid).children(recursive=True)
    dvc.kill()
    dvc.wait()
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    for process in alive:
        process.kill()
    return alive


def hashes(workspace: Workspace, stage: str) -> dict[str, str]:
    """What dvc.lock says of the model's files, or of their folder; the times differ from run to run."""
    outs = yaml.safe_load(workspace.read("dvc.lock"))["stages"][stage]["outs"]
    return {out["path"]: out["md5"] for out in outs if out["path"].startswith("models/")}


def stops(workspace: Workspace, arm: str) -> tuple[int, ...]:
    return TrainingTime.read(workspace.path / f"reports/times/{arm}/s0.json").stops


@pytest.mark.parametrize(
    ("stage", "arm", "teacher", "files"),
    [
        (STAGE, "baseline", "none", ["best.pt", "history.csv", "training.json"]),
        ("train-teacher@0", "teacher", "yolo11s", ["s0"]),
    ],
)
def test_a_training_goes_on_after_dvc_was_killed_and_gives_the_same_files(
    workspace: Workspace, stage: str, arm: str, teacher: str, files: list[str]
) -> None:
    set_recipe(workspace, epochs=8, teacher=teacher)
    dvc = workspace.begin("repro", stage)
    wait_until(lambda: list(workspace.path.glob(f".mobileyolo/trainings/{arm}-*/epoch-*.pt")), dvc)
    assert kill(dvc) == []
    again = workspace.dvc("repro", stage)
    (stopped,) = stops(workspace, arm)
    assert f"{arm}, seed 0: goes on after epoch {stopped} of 8" in again.output
    gone_on = hashes(workspace, stage)
    assert [Path(path).name for path in sorted(gone_on)] == files
    statuses = {run.info.status for run in workspace.runs()}
    assert "FINISHED" in statuses
    assert statuses <= {"FINISHED", "KILLED"}

    shutil.rmtree(workspace.path / ".mobileyolo/trainings")
    workspace.dvc("repro", "--force", "--single-item", stage)
    assert stops(workspace, arm) == ()
    assert hashes(workspace, stage) == gone_on


@pytest.mark.parametrize("delay", [0.2, 0.6, 1.0, 1.5])
def test_no_training_outlives_a_dvc_that_is_killed_while_the_stage_starts(workspace: Workspace, delay: float) -> None:
    set_recipe(workspace, epochs=1000, teacher="none")  # it would not end by itself
    dvc = workspace.begin("repro", "--force", "--single-item", STAGE)
    wait_until(lambda: stages_below(dvc), dvc)
    time.sleep(delay)
    assert stages_below(dvc)
    assert kill(dvc) == []
