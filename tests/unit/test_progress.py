from __future__ import annotations

import errno
import logging
import subprocess
from pathlib import Path

import pytest

from mobileyolo import progress
from mobileyolo.core import environment
from mobileyolo.core.environment import Terminated
from mobileyolo.core.errors import ConfigError
from stages import run


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a committed params.yaml, in which an experiment runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "check")
    (tmp_path / "params.yaml").write_text("seeds: [0]\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "s"]):
        subprocess.run(["git", *command], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("\x1b[34m\x1b[1mengine/trainer: \x1b[0magnostic_nms=False, amp=False", False),
        ("Logging results to \x1b[1mruns\x1b[0m", False),
        ("Creating new Ultralytics Settings v0.0.8 file", False),
        ("\n7 epochs completed in 0.012 hours.", False),
        ("Model summary (fused): 100 layers, 2,584,102 parameters, 0 gradients, 6.4 GFLOPs", False),  # at 640 pixels
        ("WARNING ⚠️ NMS time limit 2.1s exceeded", True),
        ("Starting training for 7 epochs...", True),
    ],
)
def test_only_lines_that_say_nothing_are_dropped(message: str, kept: bool) -> None:
    record = logging.LogRecord("ultralytics", logging.INFO, "", 0, message, None, None)
    assert progress._wanted(record) is kept


def test_the_useful_lines_of_a_longer_message_stay() -> None:
    text = "Using 320 train, 80 val images\nUsing %d dataloader workers\nLogging results to x\nStarting training"
    record = logging.LogRecord("ultralytics", logging.INFO, "", 0, text, (0,), None)
    assert progress._wanted(record)
    assert record.getMessage() == "Using 320 train, 80 val images\nStarting training"


def test_after_a_failed_experiment_the_way_back_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.way_back() == ""
    monkeypatch.setenv("DVC_EXP_NAME", "some-name")
    assert progress.way_back() == ""  # nothing has changed
    (workspace / "params.yaml").write_text("seeds: [1]\n", encoding="utf-8")
    assert progress.way_back().endswith("git checkout params.yaml")
    monkeypatch.setenv("DVC_ROOT", str(workspace / "elsewhere"))  # a queued experiment's folder is thrown away
    assert progress.way_back() == ""


def test_a_failure_is_remembered_until_its_stage_succeeds(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_params: object) -> None:
        raise ConfigError("epochs: wrong\nand more")

    with pytest.raises(SystemExit) as end:
        run(fail)
    assert end.value.code == "error: epochs: wrong\nand more"  # which Python prints, and exits with 1
    assert progress.last_failure() == "check: epochs: wrong"
    monkeypatch.setenv("DVC_STAGE", "cost")
    run(lambda _params: None)
    assert progress.last_failure() == "check: epochs: wrong"
    monkeypatch.setenv("DVC_STAGE", "check")
    run(lambda _params: None)
    assert progress.last_failure() == ""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here"),
        (Terminated(), 143, "stopped by SIGTERM; the same command goes on from here"),
        (PermissionError(errno.EACCES, "Permission denied", "models/x.pt"), 1, "error: models/x.pt: permission denied"),
    ],
)
def test_a_stopped_stage_ends_with_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    def stop(_params: object) -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run(stop)
    ended, told = end.value.code, capsys.readouterr().err
    if isinstance(ended, str):  # Python prints it, and exits with 1
        told = ended
    assert (1 if isinstance(ended, str) else ended) == code
    (line,) = told.splitlines()
    assert line.startswith(said)
    assert progress.last_failure() == f"check: {line.removeprefix('error: ')}"


def test_where_nothing_can_be_written_a_failure_is_told_all_the_same(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / environment.STATE_DIR).write_text("a file, where a folder has to be\n", encoding="utf-8")
    progress.record_failure("first")
    assert progress.last_failure() == ""


def test_the_last_stage_ends_every_failure(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress.record_failure("killed")
    monkeypatch.setenv("DVC_STAGE", "compare")
    run(lambda _params: None)
    assert progress.last_failure() == ""
    assert not (workspace / environment.STATE_DIR / "failed.txt").exists()
