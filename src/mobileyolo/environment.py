"""Where the work runs: every environment variable that this project reads or sets, and nothing that changes a number.

`isolate` has to run before Ultralytics, MLflow or Great Expectations is imported, since they read theirs on import.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

STATE_DIR = Path(".mobileyolo")  # in flight or private to this workspace; ignored by git

# Offline and quiet by default; whatever the user has set stays.
_DEFAULTS = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GX_ANALYTICS_ENABLED": "false",
}


def isolate(workspace: Path) -> None:
    """Switch telemetry and downloads off and give Ultralytics a settings folder of this workspace's own."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ["YOLO_CONFIG_DIR"] = str((workspace / STATE_DIR).resolve())
    # Reports hold any alphabet; a Windows console may not.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def device() -> str:
    """Device to train and evaluate on, as Ultralytics spells it: MOBILEYOLO_DEVICE, else the first GPU or the CPU."""
    return os.environ.get("MOBILEYOLO_DEVICE", "")


def threads() -> int:
    """CPU threads for training and evaluation: MOBILEYOLO_THREADS, else all that this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("MOBILEYOLO_THREADS", available))


def main_workspace() -> Path:
    """The user's workspace, also inside the temporary one of a queued experiment (DVC_ROOT is the main one there)."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def experiment_name() -> str | None:
    """Name of the DVC experiment that is running, if any."""
    return os.environ.get("DVC_EXP_NAME")


def stage_name() -> str | None:
    """Name of the DVC stage that is running, if any, like train@candidate-0."""
    return os.environ.get("DVC_STAGE")
