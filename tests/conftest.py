from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mobileyolo.core import environment
from tests.synthetic import write_dataset

# Tests run in two processes; without this, each would use every core. Set before anything imports torch.
for _name in ("OMP_NUM_THREADS", "MOBILEYOLO_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ["MOBILEYOLO_CACHE"] = tempfile.mkdtemp(prefix="mobileyolo-cache-")  # not the user's own
os.environ["MOBILEYOLO_STRICT_TRACKING"] = "1"  # a bug in tracking fails the test
# Before any test imports Ultralytics: settings of this test run, not the user's.
environment.isolate(Path(tempfile.mkdtemp(prefix="mobileyolo-tests-")))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Folder of a small undamaged dataset: 4, 2 and 2 images, two boxes each, two classes."""
    return write_dataset(tmp_path / "dataset")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without runs, which takes seconds to create."""
    from mlflow.tracking import MlflowClient  # seconds, which most tests do without

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file.as_posix()}").search_experiments()
    return file
