"""Where the code runs: the environment variables of this project, but for those of one vendor alone.

`isolate` has to be called before PyTorch, Ultralytics, MLflow, Great Expectations, ONNX Runtime or OpenVINO is
imported, because they read their variables on import.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from mobileyolo.core.errors import ConfigError, UserError

if TYPE_CHECKING:
    import psutil

STATE_DIR = Path(".mobileyolo")  # temporary files and private settings of this workspace; ignored by git

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of processor time, or max, in a period of so many

# Offline and without telemetry.
_OFFLINE = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
# By default; what the user has set stays.
_DEFAULTS = _OFFLINE | {
    # What Ultralytics itself reads, such as the last checkpoint of a training, it reads by its list of classes.
    "ULTRALYTICS_SAFE_LOAD": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A tracking server that can't be reached must not delay a stage; by default MLflow retries for four minutes a call.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Threads of OpenMP that wait for each other sleep. By default they keep their cores busy, and so from the thread
    # that they wait for, where another process has a core as well (benchmarks/neighbour.py).
    "OMP_WAIT_POLICY": "passive",
}


def isolate(workspace: Path) -> None:
    """Switch telemetry and downloads off, and give Ultralytics a private settings folder in this workspace."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # OpenVINO (2026.4) sends usage data unless a file in the user's home forbids it. It has no variable to switch that
    # off, but sends nothing if this package can't be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # what Python documents for it
    _forget_api_key()
    os.environ["YOLO_CONFIG_DIR"] = str((workspace / STATE_DIR).resolve())
    # Messages can contain any alphabet, and a Windows console can't print all of them.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def go_offline() -> None:
    """Switch telemetry and downloads off for what is imported or started from now on, whatever the user has set."""
    os.environ.update(_OFFLINE)
    _forget_api_key()


def _forget_api_key() -> None:
    # If it is set, Ultralytics 8.4 streams every training to its platform, even offline.
    os.environ.pop("ULTRALYTICS_API_KEY", None)


def allow_downloads() -> None:
    """Let Ultralytics and timm use the network; call it before either is imported."""
    for name in ("YOLO_OFFLINE", "HF_HUB_OFFLINE"):
        os.environ[name] = "0"


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Let Python's garbage collector rest, where objects are made by the hundred thousand and all of them stay.

    It would look through them again and again.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def importing() -> Iterator[None]:
    """Import libraries in a fifth less time: garbage is neither looked for meanwhile nor ever among their objects."""
    with garbage_kept():
        yield
        gc.freeze()


def devices() -> tuple[str, ...]:
    """Devices that train one model, as Ultralytics names them: MOBILEYOLO_DEVICE, else "" (first GPU, or the CPU).

    Raises:
        ConfigError: this project can't use these.
    """
    name = os.environ.get("MOBILEYOLO_DEVICE", "")
    found = tuple(name.split(","))
    if not re.fullmatch(r"|cpu|mps|\d+(,\d+)*", name) or len(set(found)) < len(found):
        raise ConfigError(
            f"MOBILEYOLO_DEVICE: {name!r}: choose cpu, mps, the number of a GPU, or those of several, such as 0,1"
        )
    return found


def device() -> str:
    """The first of `devices`: what is no training runs there alone."""
    return devices()[0]


def workers() -> int:
    """Processes that read images for a GPU: MOBILEYOLO_WORKERS, else 4, or 2 on Windows, where each takes seconds.

    Raises:
        ConfigError: it is not a whole number.
    """
    text = os.environ.get("MOBILEYOLO_WORKERS", "2" if sys.platform == "win32" else "4")
    if not re.fullmatch(r"\d+", text):
        raise ConfigError(f"MOBILEYOLO_WORKERS: {text!r}: choose a whole number; with 0 the training reads them itself")
    return int(text)


def threads() -> int:
    """CPU threads for training and evaluation: MOBILEYOLO_THREADS, else all cores that this process may use.

    A container's share of the processor counts: threads beyond it would wait for each other most of the time.

    Raises:
        ConfigError: it is not a whole number above 0.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = os.environ.get("MOBILEYOLO_THREADS", str(min(available, _cores_of_quota(available))))
    if not re.fullmatch(r"[1-9]\d*", text):
        raise ConfigError(f"MOBILEYOLO_THREADS: {text!r}: choose a whole number above 0")
    return int(text)


def _cores_of_quota(default: int) -> int:
    """Whole cores, but at least one, that Linux' control group (version 2) grants; the default without a limit."""
    try:
        quota, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        return max(int(quota) // int(period), 1)
    except (OSError, ValueError):  # ValueError: the quota is "max"
        return default


def variables_for_node(cpus: int, gpus: float) -> dict[str, str]:
    """What a node of a cluster has to know of this environment to get the results that this machine would get.

    Args:
        cpus: that it gives to the work; as many threads, unless MOBILEYOLO_THREADS is set here.
        gpus: that it gives to the work, and lets it see no other: all of them train, unless MOBILEYOLO_DEVICE is set
            here; without any, the CPU.
    """
    own = {name: value for name, value in os.environ.items() if name.startswith(("MOBILEYOLO_", "MLFLOW_"))}
    own.pop("MOBILEYOLO_CACHE", None)  # a folder of this machine
    device = ",".join(map(str, range(int(gpus)))) if gpus > 1 else "" if gpus else "cpu"
    return {"MOBILEYOLO_THREADS": str(cpus), "MOBILEYOLO_DEVICE": device} | own


def processor() -> str:
    """Name of the processor, if the system gives one."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cache_dir() -> Path:
    """Cache folder for what was read from datasets: MOBILEYOLO_CACHE, else in the user's cache folder."""
    if folder := os.environ.get("MOBILEYOLO_CACHE"):
        return Path(folder)
    from platformdirs import user_cache_path  # belongs to an extra; who asks for help or the version may not have it

    return user_cache_path("mobileyolo")


def end_with_parent() -> None:
    """End this process when the one that started it ends, so that no training goes on after `dvc repro` was killed.

    Raises:
        SystemExit: DVC started this process, and has ended already.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1  # prctl(2)
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    starter = _starter()
    # One that dies while this process starts leaves it to a parent in another session, or to none.
    if stage_name() and not (starter and _in_this_session(starter.pid)):
        raise SystemExit("dvc has ended, so this stage ends too")
    if starter and not (sys.platform == "linux" and starter.pid == os.getppid()):
        threading.Thread(target=_end_after, args=(starter,), daemon=True).start()


def _starter() -> psutil.Process | None:
    """Who started this process: the nearest ancestor whose command line does not name a stage.

    DVC starts a command in a shell. Some shells (dash, cmd.exe) stay between both, others (bash) become the command.
    """
    import psutil  # belongs to an extra; who asks for help or the version may not have it

    try:
        for ancestor in psutil.Process().parents():
            if not any("stages." in word for word in ancestor.cmdline()):
                return ancestor
    except psutil.NoSuchProcess:  # it ended meanwhile
        pass
    return None


def _in_this_session(pid: int) -> bool:
    """Does a process belong to the same session as this one? Windows has no sessions of processes."""
    if not hasattr(os, "getsid"):
        return True
    try:
        return os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:
        return False


def _end_after(process: psutil.Process) -> None:
    process.wait()
    os.kill(os.getpid(), signal.SIGTERM)


def strict_tracking() -> bool:
    """Is a bug in tracking raised, and not only warned about? MOBILEYOLO_STRICT_TRACKING=1, which our tests set."""
    return os.environ.get("MOBILEYOLO_STRICT_TRACKING") == "1"


def main_workspace() -> Path:
    """The user's workspace. A queued experiment runs in a temporary one, and DVC_ROOT then names the user's."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def default_store() -> Path | None:
    """MLflow's database in the main workspace; None where MLFLOW_TRACKING_URI names another store."""
    return None if os.environ.get("MLFLOW_TRACKING_URI") else main_workspace() / "mlflow.db"


def experiment_name() -> str | None:
    """Name of the DVC experiment that is running, if any."""
    return os.environ.get("DVC_EXP_NAME")


def stage_name() -> str | None:
    """Name of the DVC stage that is running, if any, such as train@candidate-0."""
    return os.environ.get("DVC_STAGE")


def in_git() -> bool:
    """Is the user's workspace a git repository, or in one? A ZIP of the repository, as GitHub offers it, is none."""
    workspace = main_workspace()
    return any((folder / ".git").exists() for folder in (workspace, *workspace.parents))


def git(*arguments: str) -> str:
    """What a command of git prints.

    Raises:
        UserError: it failed.
    """
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, encoding="utf-8", check=True).stdout
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {arguments[0]}: {error.stderr.strip()}") from None


def git_commit() -> str:
    """The commit that is checked out, with -dirty if files differ from it; empty outside git."""
    try:
        return git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*").strip()
    except (OSError, UserError):
        return ""


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Whatever cleans up after Ctrl-C does so after it, too."""


@contextmanager
def termination_raises() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` in this block."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
