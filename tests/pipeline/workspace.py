"""A workspace with this repository's files, in which real dvc commands run."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.trap import sitecustomize as trap

ROOT = Path(__file__).resolve().parents[2]
# One epoch on a handful of tiny images: enough for every stage to do all that it does.
SMALL = {
    "train": {"epochs": 1, "imgsz": 64, "batch": 4, "nbs": 4},
    "evaluate": {"batch": 4},
    "digits": {"train": 4, "val": 2, "test": 2, "scene_size": 96},
    "latency": {"rounds": 6},
    "compare": {"resamples": 100},
}


@dataclass(frozen=True)
class Result:
    """What a command said."""

    code: int
    output: str

    def ran(self, stage: str) -> bool:
        """Was the stage's command run, rather than skipped or restored from the cache?"""
        return f"Running stage '{stage}'" in self.output


@dataclass(frozen=True)
class Workspace:
    """A git and DVC repository with this code, a small recipe and a dataset outside it."""

    path: Path
    preexec: Callable[[], None] | None = None  # called in each process before its command runs

    @classmethod
    def create(
        cls, path: Path, dataset: Path, preexec: Callable[[], None] | None = None, *, in_git: bool = True
    ) -> Workspace:
        """Copy the files that git tracks or would, shrink the recipe, commit unless it is to lie outside git."""
        tracked = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in filter(None, tracked.stdout.split("\0")):
            # dvc.lock would be of this checkout's own runs.
            if (ROOT / name).is_file() and not name.startswith("tests/") and name != "dvc.lock":
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, path / name)
        workspace = cls(path, preexec)
        params = workspace.params()
        params["data"]["dir"] = dataset.as_posix()
        for section, values in SMALL.items():
            params[section] |= values
        (path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        if in_git:
            workspace.commit_all()
        return workspace

    def commit_all(self) -> None:
        """Make it a git repository with one commit."""
        self.run("git", "init", "--quiet")
        self.run("git", "config", "user.email", "tests@example.invalid")
        self.run("git", "config", "user.name", "tests")
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "start")

    def params(self) -> dict[str, dict[str, object]]:
        """What params.yaml holds now."""
        loaded: dict[str, dict[str, object]] = yaml.safe_load((self.path / "params.yaml").read_text(encoding="utf-8"))
        return loaded

    def run(self, *command: str, check: bool = True) -> Result:
        """Run a command in the workspace; what it tries to reach beyond this machine is refused and written down."""
        with tempfile.TemporaryFile() as output:  # not a pipe: what the command leaves running would hold it open
            code = subprocess.run(
                command,
                cwd=self.path,
                env=_variables() | {trap.LOG: str(self.lookups_log)},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=900,
                check=False,
                preexec_fn=self.preexec,
            ).returncode
            output.seek(0)
            said = io.TextIOWrapper(output, encoding="utf-8", errors="replace").read()
        if check and code:
            raise AssertionError(f"{' '.join(command)} ended with {code}:\n{said}")
        return Result(code, said)

    def dvc(self, *arguments: str, check: bool = True) -> Result:
        """Run a dvc command in the workspace."""
        return self.run(sys.executable, "-m", "dvc", *arguments, check=check)

    def finish_queue(self) -> None:
        """Wait until no experiment is queued or running any more; AssertionError if one failed."""
        end = time.monotonic() + 600
        while re.search(r"\b(Queued|Running)\b", status := self.dvc("queue", "status").output):
            assert time.monotonic() < end, status
            time.sleep(1)
        assert "Failed" not in status

    @property
    def lookups_log(self) -> Path:
        """Where attempts to reach beyond this machine are written down."""
        return self.path.with_name(f"{self.path.name}-lookups.log")

    def lookups(self) -> list[str]:
        """These attempts so far, by all commands that ran here."""
        return self.lookups_log.read_text(encoding="utf-8").splitlines() if self.lookups_log.exists() else []

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin a dvc command in the workspace, in a session of its own as from a terminal; without its output.

        Where no SHELL is set, as in many services and containers, DVC runs a stage in /bin/sh. That is often one that
        stays between dvc and the stage.
        """
        return self.start(sys.executable, "-m", "dvc", *arguments)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Begin any command, as `begin` does."""
        return subprocess.Popen(
            command,
            cwd=self.path,
            env={name: value for name, value in _variables().items() if name != "SHELL"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def read(self, name: str) -> bytes:
        """A file's content."""
        return (self.path / name).read_bytes()

    def runs(self, address: str = "") -> list[Run]:
        """All runs in an MLflow store, by default the workspace's, oldest first."""
        client = MlflowClient(address or f"sqlite:///{(self.path / 'mlflow.db').as_posix()}")
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(ids, order_by=["attributes.start_time"]))


def _variables() -> dict[str, str]:
    """The environment of a command."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_"))}
    # `python` in dvc.yaml is the interpreter that runs this test.
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    return variables | {"PYTHONUTF8": "1"}
