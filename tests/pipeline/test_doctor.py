"""What `mobileyolo doctor` deletes is what DVC stumbles over, and DVC goes on without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pipeline

PIPELINE = "stages: {copy: {cmd: python -V, params: [value]}}\n"


def run(folder: Path, *command: str) -> tuple[int, str]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("rwlock", ("repro",)),
        ("exps/rwlock", ("exp", "run", "-S", "value=2")),
        ("exps/run/workspace/workspace.run", ("exp", "run", "-S", "value=2")),
    ],
)
def test_dvc_goes_on_after_the_doctor(tmp_path: Path, state: str, command: tuple[str, ...]) -> None:
    dvc = (sys.executable, "-m", "dvc")
    (tmp_path / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (tmp_path / "params.yaml").write_text("value: 1\n", encoding="utf-8")
    for setup in (
        ("git", "init", "-q"),
        ("git", "config", "user.name", "t"),
        ("git", "config", "user.email", "t@t"),
        (*dvc, "init", "-q"),
        ("git", "add", "--all"),
        ("git", "commit", "-qm", "start"),
    ):
        assert run(tmp_path, *setup)[0] == 0
    damaged = tmp_path / ".dvc/tmp" / state
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_text('{"write": {"models/candi', encoding="utf-8")
    code, said = run(tmp_path, *dvc, *command)
    assert code
    assert "structure is corrupted" in said
    code, said = run(tmp_path, sys.executable, "-m", "mobileyolo", "doctor", "--fix")
    assert (code, f".dvc/tmp/{state}" in said) == (0, True), said
    code, said = run(tmp_path, *dvc, *command)
    assert code == 0, said
