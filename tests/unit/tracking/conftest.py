from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, whose store is the default one."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for name in ("MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def store(workspace: Path, empty_store: Path) -> MlflowClient:
    """The default store of a workspace, without runs."""
    shutil.copy(empty_store, workspace / "mlflow.db")
    return MlflowClient(f"sqlite:///{(workspace / 'mlflow.db').as_posix()}")
