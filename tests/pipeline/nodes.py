"""A Ray cluster of several nodes on this machine, with services that all of them reach."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.pipeline.services import Services, local
from tests.pipeline.workspace import Result, Workspace

STUDY = ("python", "-m", "mobileyolo", "study", "--engine", "ray")
PATIENCE = 3600  # seconds that a study may take on a busy machine
# Of each trial that has results: digests of its weights, and metrics of both arms.
_RESULTS = """
import json
from mobileyolo.experiments import present_experiments
from mobileyolo.core.files import COMPARISON_FILE, ModelFiles
for experiment in present_experiments():
    comparison = json.loads(experiment.read(COMPARISON_FILE))
    for arm in ("baseline", "candidate"):
        print("result", experiment.name, arm, *comparison[arm]["weights_digests"])
        print("result", experiment.name, experiment.read(ModelFiles(arm, 0).metrics).encode().hex())
"""
RESOURCES = {"cpus": 1, "gpus": 0.0, "memory": 0.1, "checkpoint": 0.0}


@dataclass(frozen=True)
class Site:
    """A workspace whose studies run on other nodes.

    Attributes:
        workspace: with a default remote.
        services: MLflow's server and the remote.
        cluster: Ray's; its head trains nothing.
    """

    workspace: Workspace
    services: Services
    cluster: Any

    def settings(self) -> tuple[str, ...]:
        """What stands before a command that knows server and cluster."""
        return self.services.known(RAY_ADDRESS=self.cluster.address)

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
        return self.workspace.path.with_name("told.txt")

    def copies(self) -> list[Path]:
        """Checkpoints on the remote."""
        return sorted(self.services.storage.glob("mobileyolo/*/*/epoch-*.pt"))

    def log(self, beginning: str) -> str:
        """What jobs have said, by the beginning of their names."""
        logs = sorted(self.workspace.path.glob(f".mobileyolo/studies/{beginning}*.log"))
        return "\n".join(log.read_text(encoding="utf-8") for log in logs)


@contextmanager
def opened(
    folder: Path, dataset: Path, nodes: int, services: Services | None = None, **changes: dict[str, Any]
) -> Iterator[Site]:
    """A workspace with this code, and its cluster.

    Args:
        folder: an empty one.
        dataset: which all nodes reach.
        nodes: that train, beside the head; with one CPU each.
        services: that are there already; by default those of `local`.
        changes: of params.yaml, by section.
    """
    from ray.cluster_utils import Cluster  # with what tests/conftest.py has set

    (folder / "workspace").mkdir()
    workspace = Workspace.create(folder / "workspace", dataset)
    params = workspace.params()
    params["study"]["resources"] = RESOURCES
    for section, values in changes.items():
        params[section] |= values
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    # The path of a socket must be short.
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as sockets,
    ):
        services = services or stack.enter_context(local(folder))
        services.add_remote(workspace)
        workspace.run("git", "commit", "--quiet", "--all", "--message", "study")
        # Ray's head (2.60) asks addresses of clouds where it is, unless this file in its home says so.
        Path(sockets, "ray_bootstrap_config.yaml").write_text("{}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", sockets)
            # Where usage statistics are off, Ray (2.60) reports just that.
            patch.setenv("RAY_USAGE_STATS_REPORT_URL", "http://127.0.0.1:9")
            os.environ["RAY_TMPDIR"] = sockets
            cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for _ in range(nodes):
                cluster.add_node(num_cpus=1)
            yield Site(workspace, services, cluster)
        finally:
            cluster.shutdown()
            del os.environ["RAY_TMPDIR"]


def wait_until(true: Callable[[], object], study: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something that a study does."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert study is None or study.poll() is None, "the study has ended"
        assert time.monotonic() < end
        time.sleep(0.2)


def results(workspace: Workspace) -> list[str]:
    """What a workspace's trials have found, four lines each: equal for equal weights and metrics."""
    said = workspace.run("python", "-c", _RESULTS).output.splitlines()
    return sorted(line for line in said if line.startswith("result "))


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
