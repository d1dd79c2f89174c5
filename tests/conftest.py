from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mobileyolo import environment
from tests.synthetic import write_dataset

# Tests run in two processes, which would otherwise both compute on every core; before anything imports torch.
os.environ.setdefault("MOBILEYOLO_CACHE", str(Path(tempfile.mkdtemp(), "cache")))
for _name in ("OMP_NUM_THREADS", "MOBILEYOLO_THREADS"):
    os.environ.setdefault(_name, "1")
# Before any test imports Ultralytics: its settings belong to this run, not to the person who runs it.
environment.isolate(Path(tempfile.mkdtemp(prefix="mobileyolo-tests-")))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Folder of a small undamaged dataset: 4, 2 and 2 images, two boxes each, two classes."""
    return write_dataset(tmp_path / "dataset")
