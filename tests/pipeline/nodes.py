"""A Ray cluster of several nodes on this machine, with a DVC remote and an MLflow server that all of them reach."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.pipeline.workspace import Result, Workspace
from tests.unit.tracking.server import Server

STUDY = ("python", "-m", "mobileyolo", "study", "--engine", "ray")
PATIENCE = 3600  # seconds that a study may take on a busy machine
RESOURCES = {"cpus": 1, "gpus": 0.0, "memory": 0.1, "checkpoint": 0.0}


@dataclass(frozen=True)
class Site:
    """A workspace whose studies run on other nodes.

    Attributes:
        workspace: with a default remote.
        storage: the folder of the remote.
        server: MLflow's.
        cluster: Ray's; its head trains nothing.
    """

    workspace: Workspace
    storage: Path
    server: Server
    cluster: Any

    def settings(self) -> tuple[str, ...]:
        """What stands before a command that knows server and cluster."""
        return ("env", f"MLFLOW_TRACKING_URI={self.server.address}", f"RAY_ADDRESS={self.cluster.address}")

    def study(self) -> Result:
        """Run the study to its end."""
        code = self.start().wait(PATIENCE)
        return Result(code, self.told.read_text(encoding="utf-8"))

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the study; `told` has what it says."""
        redirect = ("sh", "-c", f'exec "$@" >{self.told} 2>&1', "sh")
        return self.workspace.start(*redirect, *self.settings(), *STUDY)

    @property
    def told(self) -> Path:
        """A file with the output of the study that was begun last."""
        return self.storage.with_name("told.txt")

    def copies(self) -> list[Path]:
        """Checkpoints on the remote."""
        return sorted(self.storage.glob("mobileyolo/*/*/epoch-*.pt"))

    def log(self, beginning: str) -> str:
        """What jobs have said, by the beginning of their names."""
        logs = sorted(self.workspace.path.glob(f".mobileyolo/studies/{beginning}*.log"))
        return "\n".join(log.read_text(encoding="utf-8") for log in logs)


@contextmanager
def opened(folder: Path, dataset: Path, nodes: int, **changes: dict[str, Any]) -> Iterator[Site]:
    """A workspace with this code, and its cluster.

    Args:
        folder: an empty one.
        dataset: which all nodes reach.
        nodes: that train, beside the head; with one CPU each.
        changes: of params.yaml, by section.
    """
    from ray.cluster_utils import Cluster  # with what tests/conftest.py has set

    for name in ("workspace", "server"):
        (folder / name).mkdir()
    workspace = Workspace.create(folder / "workspace", dataset)
    params = workspace.params()
    params["study"]["resources"] = RESOURCES
    for section, values in changes.items():
        params[section] |= values
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    workspace.dvc("remote", "add", "--default", "team", str(folder / "storage"))
    workspace.run("git", "commit", "--quiet", "--all", "--message", "study")
    server = Server(folder / "server")
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as sockets:
        # Ray's head (2.60) asks addresses of clouds where it is, unless this file in its home says so.
        Path(sockets, "ray_bootstrap_config.yaml").write_text("{}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", sockets)
            os.environ["RAY_TMPDIR"] = sockets
            cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for _ in range(nodes):
                cluster.add_node(num_cpus=1)
            server.start()
            yield Site(workspace, folder / "storage", server, cluster)
        finally:
            server.kill()
            cluster.shutdown()
            del os.environ["RAY_TMPDIR"]


def trains(node: Any) -> bool:
    """Does a stage that trains run on a node?"""
    (raylet,) = node.all_processes["raylet"]
    return any(
        "stages.train" in " ".join(_words(child))
        for child in psutil.Process(raylet.process.pid).children(recursive=True)
    )


def stages() -> list[psutil.Process]:
    """All processes on the nodes that run a stage, or dvc for one."""
    return [each for each in psutil.process_iter() if _folder(each).startswith(os.environ["RAY_TMPDIR"])]


def _folder(process: psutil.Process) -> str:
    """Where a process of dvc or of a stage works; Ray's own are left out."""
    try:
        return process.cwd() if "-m" in process.cmdline() else ""
    except psutil.Error:
        return ""


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
