"""Named pipes, which a reader of files would wait at for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def make_pipe(path: Path) -> None:
    """Make one, or skip the test where the system has none."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(path)
