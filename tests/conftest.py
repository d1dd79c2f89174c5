from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mobileyolo.core import environment
from tests.synthetic import write_dataset

# Tests run in two processes, which would otherwise both compute on every core; before anything imports torch.
for _name in ("OMP_NUM_THREADS", "MOBILEYOLO_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ["MOBILEYOLO_CACHE"] = tempfile.mkdtemp(prefix="mobileyolo-cache-")  # not the one of who runs them
os.environ["MOBILEYOLO_STRICT_TRACKING"] = "1"  # a bug in tracking fails the test that meets it
# Before any test imports Ultralytics: its settings belong to this run, not to the person who runs it.
environment.isolate(Path(tempfile.mkdtemp(prefix="mobileyolo-tests-")))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Folder of a small undamaged dataset: 4, 2 and 2 images, two boxes each, two classes."""
    return write_dataset(tmp_path / "dataset")
