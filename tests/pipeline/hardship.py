"""Hard conditions for a workspace: a disk that fills up, and the want of root's right to ignore permissions."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a small disk of its own is mounted, which takes root on Linux"
)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of its own at a folder; the test is skipped where the system does not permit it."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte free on a disk in this block."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while free := shutil.disk_usage(disk).free:
                file.write(bytes(min(free, 2**20)))
        yield
    finally:
        ballast.unlink()


def obey_permissions() -> None:
    """Let the process that is started not ignore permissions as root's do; for `preexec_fn`."""
    pr_capbset_drop, cap_dac_override = 24, 1  # prctl(2), capabilities(7)
    if sys.platform == "linux" and os.geteuid() == 0:
        ctypes.CDLL(None).prctl(pr_capbset_drop, cap_dac_override, 0, 0, 0)
