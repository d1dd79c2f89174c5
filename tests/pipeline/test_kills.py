"""Kills at seeded moments in every stage: what comes out equals an undisturbed twin's, and nothing stays behind.

`make test` has 12 of them. `pytest -m kills` has 120, and writes its table to the file that MOBILEYOLO_KILLS names.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import yaml

from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions of POSIX"),
]

STAGES = (
    *("check", "digits", "validate", "fetch@backbone", "build@baseline", "build@candidate", "teach-candidate@0"),
    *("train@baseline-0", "train@candidate-0", "evaluate@baseline-0", "evaluate@candidate-0"),
    *("history", "latency", "cost", "compare"),
)
TRAININGS = ("train@baseline-0", "train@candidate-0")
LONGEST = 6.0  # seconds from a stage's start to its kill; most stages of the small dataset have ended by then
PATIENCE = 60  # seconds until a process must have ended
TIMED = re.compile(r"reports/(times|latency|comparison|index|summary|validation|figures|errors)")


# What is counted after each kill; all but the first should be 0.
COLUMNS = (
    *("times", "differences", "processes that stayed", "files that stayed", "false statuses"),
    "mended by doctor --fix",
)


class Kill(NamedTuple):
    """What is done, to which stage, and how many seconds after its start."""

    how: str
    stage: str
    delay: float


def _kill_dvc(dvc: subprocess.Popen[bytes]) -> None:
    dvc.kill()


def _kill_all(dvc: subprocess.Popen[bytes]) -> None:
    os.killpg(dvc.pid, signal.SIGKILL)


def _terminate_dvc(dvc: subprocess.Popen[bytes]) -> None:
    dvc.terminate()


def _interrupt(dvc: subprocess.Popen[bytes]) -> None:
    os.killpg(dvc.pid, signal.SIGINT)  # as a terminal does it


def _kill_stage(dvc: subprocess.Popen[bytes]) -> None:
    for process in _children(dvc):
        process.kill()


def _terminate_stage(dvc: subprocess.Popen[bytes]) -> None:
    for process in _children(dvc):
        process.terminate()


WAYS: dict[str, Callable[[subprocess.Popen[bytes]], None]] = {
    "SIGKILL of dvc": _kill_dvc,
    "SIGKILL of dvc and stage": _kill_all,
    "SIGKILL of the stage": _kill_stage,
    "SIGTERM of dvc": _terminate_dvc,
    "SIGTERM of the stage": _terminate_stage,
    "Ctrl-C": _interrupt,
}


def schedule(count: int, seed: int) -> list[Kill]:
    """Each way in turn, at random moments of random stages; every third one in a training."""
    generator = random.Random(seed)
    ways = list(WAYS)
    return [
        Kill(
            ways[number % len(ways)],
            generator.choice(TRAININGS if number % 3 == 0 else STAGES),
            round(generator.uniform(0, LONGEST), 2),
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which everything ran without a disturbance."""
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    workspace = Workspace.create(tmp_path_factory.mktemp("twin"), dataset)
    params = workspace.params()
    params["train"] |= {"epochs": 4, "mosaic": 1.0, "close_mosaic": 1}
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    workspace.run("git", "commit", "--quiet", "--all", "--message", "more epochs")
    workspace.dvc("repro")
    return workspace


def outputs(workspace: Workspace) -> dict[str, str]:
    """Hashes of what the stages wrote, by path; but for what holds times."""
    lock = yaml.safe_load(workspace.read("dvc.lock"))
    found = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
    return {path: digest for path, digest in found.items() if not TIMED.match(path)}


def strike(workspace: Workspace, kill: Kill) -> None:
    """Run one stage anew, and do what a kill says."""
    log = workspace.path / "killed.log"
    with log.open("wb") as file:
        dvc = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "--force", "--single-item", kill.stage],
            cwd=workspace.path,
            env={key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_"))}
            | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = f"Running stage '{kill.stage}'".encode()
    deadline = time.monotonic() + PATIENCE
    while started not in log.read_bytes() and dvc.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        dvc.wait(kill.delay)
    except subprocess.TimeoutExpired:
        WAYS[kill.how](dvc)
    dvc.wait(PATIENCE)


def _children(dvc: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(dvc.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def stages_of(workspace: Workspace) -> Iterator[psutil.Process]:
    """Processes that run a stage of this workspace."""
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if process.info["cwd"] == str(workspace.path) and "stages." in " ".join(process.info["cmdline"] or ()):
            yield process


def survivors(workspace: Workspace) -> list[psutil.Process]:
    """Stages that are still there after a while."""
    deadline = time.monotonic() + PATIENCE
    while (found := list(stages_of(workspace))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def disturbed(workspace: Workspace, kills: list[Kill]) -> tuple[dict[str, Counter[str]], list[str]]:
    """Strike again and again, and repeat the command after each.

    Returns:
        For each way of killing how often it was done and what was found after it, and each finding in words.
    """
    expected = outputs(workspace)
    tally: dict[str, Counter[str]] = {way: Counter() for way in WAYS}
    findings: list[str] = []
    for kill in kills:
        strike(workspace, kill)
        tally[kill.how]["times"] += 1
        stayed = survivors(workspace)
        for process in stayed:
            process.kill()
        again = workspace.dvc("repro", check=False)
        if again.code and "JSON" in again.output:  # DVC's own lock file, half-written
            tally[kill.how]["mended by doctor --fix"] += 1
            workspace.run("python", "-m", "mobileyolo", "doctor", "--fix", check=False)
            again = workspace.dvc("repro", check=False)
        assert again.code == 0, f"{kill} has to be mended by hand\n{again.output}"
        found: dict[str, Sequence[object]] = {
            "processes that stayed": stayed,
            "differences": differences(workspace, expected),
            "false statuses": false_statuses(workspace),
            "files that stayed": leftovers(workspace),
        }
        for kind, items in found.items():
            tally[kill.how][kind] += len(items)
            findings += [f"{kill}: {kind}: {item}" for item in items]
    return tally, findings


def differences(workspace: Workspace, expected: dict[str, str]) -> list[str]:
    """Outputs that are not the twin's, and histories that do not have each epoch once."""
    now = outputs(workspace)
    different = [path for path in sorted(now.keys() | expected.keys()) if now.get(path) != expected.get(path)]
    for training in TRAININGS:
        arm = training.partition("@")[2].partition("-")[0]
        history = workspace.read(f"models/{arm}/s0/history.csv").decode().splitlines()
        epochs = [line.partition(",")[0] for line in history[1:]]
        different += [] if epochs == ["1", "2", "3", "4"] else [f"epochs {epochs} of {arm}"]
    return different


def false_statuses(workspace: Workspace) -> list[str]:
    """Runs that have not ended, and those of a model that do not say that its training has."""
    return [
        f"{run.info.run_id} is {run.info.status}"
        for run in workspace.runs()
        if run.info.status not in ("FINISHED", "KILLED", "FAILED")
        or ("weights.digest" in run.data.tags and run.info.status != "FINISHED")
    ]


def leftovers(workspace: Workspace) -> list[Path]:
    """Checkpoints of finished trainings, and files that were never finished."""
    checkpoints = list((workspace.path / ".mobileyolo").rglob("epoch-*.pt"))
    return checkpoints + [path for path in workspace.path.rglob(".*.tmp") if ".dvc" not in path.parts]


def test_twelve_kills_change_nothing(twin: Workspace) -> None:
    _, findings = disturbed(twin, schedule(12, seed=0))
    assert findings == []


@pytest.mark.kills
def test_many_kills_change_nothing(twin: Workspace) -> None:
    tally, findings = disturbed(twin, schedule(120, seed=1))
    if table := os.environ.get("MOBILEYOLO_KILLS"):
        Path(table).write_text(as_table(tally), encoding="utf-8")
    assert findings == []


def as_table(tally: dict[str, Counter[str]]) -> str:
    """What was found, in Markdown: a row for each way of killing."""
    lines = [f"| fault | {' | '.join(COLUMNS)} |", f"| :-- |{' --: |' * len(COLUMNS)}"]
    for way, counts in tally.items():
        lines.append(f"| {way} | {' | '.join(str(counts[column]) for column in COLUMNS)} |")
    return "\n".join([*lines, ""])
