"""Commands as a user would type them, timed from start to end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.circumstances import ROOT
from benchmarks.measuring import Sample
from mobileyolo.core.errors import UserError

WATCHED_SECONDS = 1.0  # between two looks at the memory; looking takes time of a processor
# What a user's shell may have set; threads are those that each library chooses, unless a way says otherwise.
_LEFT_OUT = ("DVC_", "MLFLOW_", "MOBILEYOLO_", "OMP_NUM_THREADS", "PYTEST_")


class BenchmarkError(UserError):
    """A command that was to be timed failed."""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module."""
    return [sys.executable, "-m", module, *arguments]


def console_script(name: str, *arguments: str) -> list[str]:
    """A command of this environment as its user starts it."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise BenchmarkError(f"{name} is not installed in this environment; run make install")
    return [found, *arguments]


def run(
    command: list[str],
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    *,
    told: bool = False,
    watched: bool = True,
) -> Sample:
    """Run a command to its end.

    Args:
        command: a list of words.
        cwd: where.
        variables: of its environment, beside those of this process.
        told: the value is the number in the last line that it prints, not the seconds that it took.
        watched: look at the memory.

    Returns:
        Seconds, and the most memory that it and its children held together; None if it took less than a second, or
        was not watched.

    Raises:
        BenchmarkError: it ended with another exit code than 0; with the end of its output.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:  # a pipe would fill up
        start = time.perf_counter()
        with (
            subprocess.Popen(
                command, cwd=cwd, env=_environment(cwd) | dict(variables or {}), stdout=output, stderr=subprocess.STDOUT
            ) as process,
            _watched(process, watched) as memory,
        ):
            code = process.wait()  # a wait with a limit would look only every 50 ms
            seconds = time.perf_counter() - start
        output.seek(0)
        said = output.read().strip()
    if code:
        raise BenchmarkError(f"{' '.join(command)}: exit code {code}\n{said[-2000:]}")
    return Sample(float(said.splitlines()[-1]) if told else seconds, max(memory, default=None))


@contextmanager
def _watched(process: subprocess.Popen[bytes], memory: bool) -> Iterator[list[float]]:
    """Look at the memory of a process and its children; end them all if this process is stopped meanwhile."""
    found: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(WATCHED_SECONDS):
            found.append(_memory_mb(process.pid))

    watcher = threading.Thread(target=look, daemon=True)
    if memory:
        watcher.start()
    try:
        yield found
    except BaseException:
        for each in _family(process.pid):
            each.kill()
        raise
    finally:
        ended.set()
        if memory:
            watcher.join()


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:  # it has just ended
        return []


def _memory_mb(pid: int) -> float:
    """Proportional set size where the system tells it, resident set size elsewhere."""
    total = 0.0
    for each in _family(pid):
        try:
            full = each.memory_full_info()
            total += getattr(full, "pss", full.rss) / 1e6
        except psutil.Error:  # it has just ended
            pass
    return total


def _environment(cwd: Path) -> dict[str, str]:
    """Variables of a command: nothing of it reaches the user's own settings and caches."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    private = cwd / ".mobileyolo"
    return kept | {
        # `python` in dvc.yaml is this interpreter.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), str(ROOT), kept.get("PYTHONPATH", "")])),
        "PYTHONUTF8": "1",
        "MOBILEYOLO_CACHE": str(private / "cache"),
        "YOLO_CONFIG_DIR": str(private),
    }
