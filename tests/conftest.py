from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import stages  # noqa: F401 -- once imported it sets the checkout's own environment: before the one below, which has to last
from mobileyolo.core import environment
from tests.synthetic import write_dataset
from tests.trap import sitecustomize as trap

# Tests run in two processes; without this, each would use every core. Set before anything imports torch.
for _name in ("OMP_NUM_THREADS", "MOBILEYOLO_THREADS"):
    os.environ.setdefault(_name, "1")
# Ray reads it on import: its nodes are at a loopback address, and it does not look which one leads to the network.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_AUTH_MODE"] = "disabled"  # else it writes a token into the user's home
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background would ignore it
os.environ["MOBILEYOLO_CACHE"] = tempfile.mkdtemp(prefix="mobileyolo-cache-")  # not the user's own
os.environ["MOBILEYOLO_STRICT_TRACKING"] = "1"  # a bug in tracking fails the test
# Before any test imports Ultralytics: settings of this test run, not the user's.
environment.isolate(Path(tempfile.mkdtemp(prefix="mobileyolo-tests-")))
# Also for processes that a test starts with these variables.
LOOKUPS = Path(tempfile.mkdtemp(prefix="mobileyolo-lookups-"), "lookups.log")
os.environ[trap.LOG] = str(LOOKUPS)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(trap.__file__).parent), os.environ.get("PYTHONPATH")])
)


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Take back what a test, or a command that it ran in this process, has set for the processes of later tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _offline() -> Iterator[None]:
    """Fail a test that reached, or had another process reach, beyond this machine."""
    yield
    attempts = LOOKUPS.read_text(encoding="utf-8") if LOOKUPS.exists() else ""
    LOOKUPS.unlink(missing_ok=True)
    assert attempts == ""


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest of the files with unit tests, for which one process would wait at the end."""
    items.sort(key=lambda item: item.path.name != "test_resuming.py")
