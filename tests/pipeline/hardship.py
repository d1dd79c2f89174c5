"""Hard conditions for a workspace: a full disk, read-only folders, and no right of root's to ignore permissions."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="something is mounted, which takes root on Linux"
)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of its own at a folder; the test is skipped where the system does not permit it."""
    with _mounted("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)):
        yield folder


@contextmanager
def read_only(folders: Iterable[Path]) -> Iterator[None]:
    """Let nothing in these folders, which need not exist before, be written in this block, not even by root."""
    with ExitStack() as mounts:
        for folder in folders:
            folder.mkdir(exist_ok=True)
            mounts.enter_context(_mounted("--bind", str(folder), str(folder)))
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield


@contextmanager
def _mounted(*arguments: str) -> Iterator[None]:
    """Mount something at the folder that comes last in this block."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


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
