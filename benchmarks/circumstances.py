"""What a measurement depends on beside its size: the code, the machine and the versions."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import psutil

from mobileyolo.core import environment
from mobileyolo.core.files import Record

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("torch", "ultralytics", "numpy", "opencv-python", "pandas", "dvc", "mlflow", "great-expectations"),
    *("onnxruntime", "openvino", "ncnn", "nncf"),
)
# What every benchmark measures and measures with; what it prints and how it goes on changes no figure.
_SHARED = ("bare", "datasets", "plain", "processes", "runs", "trainable", "workspaces")
CODE = ("src", "stages", "dvc.yaml", "params.yaml", *(f"benchmarks/{name}.py" for name in _SHARED))
# Further code of a subject: it measures what tests start, too.
_NODES = ("tests/pipeline/nodes.py", "tests/pipeline/workspace.py")
FURTHER = {"study": _NODES, "cluster": (*_NODES, "tests/pipeline/services.py", "compose.yaml")}


class Circumstances(Record):
    """What a measurement depends on beside its size. In others it is measured again."""

    commit: str  # the last one that changed the code
    machine: str
    versions: dict[str, str]

    @classmethod
    def of(cls, subject: str) -> Self:
        """The present ones of a module."""
        from torch.backends.cpu import get_cpu_capability  # imports PyTorch, which takes seconds

        cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count()
        memory = psutil.virtual_memory().total / 1e9
        # Clouds call different processors by one name; which instructions they have makes most of the difference.
        processor = f"{environment.processor()} ({get_cpu_capability()})"
        versions = {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}
        return cls(
            commit=code_commit((*CODE, f"benchmarks/{subject}.py", *FURTHER.get(subject, ()))),
            machine=f"{processor}, {cores} cores, {memory:.0f} GB, {platform.system()}",
            versions={name: found for name, found in versions.items() if found},
        )


def code_commit(paths: tuple[str, ...]) -> str:
    """The last commit that changed one of these paths, with a digest of what was changed since; empty outside git."""
    try:
        commit = _git("log", "-1", "--format=%h", "--", *paths)
        changes = _git("diff", "HEAD", "--", *paths)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + (f"-dirty-{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def _git(*arguments: str) -> str:
    told = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return told.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
