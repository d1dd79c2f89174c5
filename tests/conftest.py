from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from mobileyolo import environment
from tests.synthetic import write_dataset

# Before any test imports Ultralytics: its settings belong to this run, not to the person who runs it.
environment.isolate(Path(tempfile.mkdtemp(prefix="mobileyolo-tests-")))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Folder of a small undamaged dataset: 4, 2 and 2 images, two boxes each, two classes."""
    return write_dataset(tmp_path / "dataset")
