"""Wings that stages import and do not depend on change no byte of what the stages write.

That is the licence to leave them out of dvc.yaml: an edit of an MLflow tag must not train a night's work again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.test_graph import LEFT_OUT
from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

# What the stages call of each wing, doing nothing.
SILENT = {
    "src/mobileyolo/tracking": """
class Nothing:
    @classmethod
    def open(cls, *_args): return cls()
    def __enter__(self): return self
    def __exit__(self, *_error): return None
    def __getattr__(self, _name): return lambda *_args: self
Tracker = LiveRun = Nothing
def log_results(*_args): pass
def read_history(*_args):
    from mobileyolo.core.records import History
    return History(candidates=1, spread=None)
""",
    "src/mobileyolo/endings.py": """
def excepthook(*_error): pass
def leave_when_stopped(): pass
def raise_when_stopped(): pass
def ending(_error): return None
""",
    "src/mobileyolo/extras.py": "def advice(*_names): pass\n",
    "src/mobileyolo/progress.py": """
def quiet_libraries(): pass
def announce(_root): pass
def way_back(): return ""
def record_failure(_message): pass
def forget_failure(): pass
""",
}
# All that stages write, but for what holds a time (latencies, times of trainings, and the dates in Data Docs) and for
# what MLflow's store knows.
OUTPUTS = {
    "digits": ["data/raw/digits"],
    "validate": [
        "data/dataset.yaml",
        "data/manifest",
        "data/scenes.parquet",
        *(f"reports/validation/{name}" for name in ("index.html", "findings.csv", "verdict.json")),
    ],
    "build@candidate": [
        f"models/candidate/{name}" for name in ("model.yaml", "profile.json", "offer.json", "start.json", "start.pt")
    ],
    "fetch@detector": ["models/weights/detector"],
    "teach-candidate@0": ["models/candidate/teacher"],
    "cost": ["reports/cost.json"],
    "train@candidate-0": ["models/candidate/s0"],
    "evaluate@candidate-0": ["reports/metrics/candidate", "reports/statistics/candidate"],
    "compare": [
        *(f"reports/{name}" for name in ("comparison.json", "metrics.json", "summary.md")),
        *(f"reports/{name}" for name in ("index.html", "index.zh-CN.html")),
        "reports/errors",
        "reports/figures",
        "reports/plots",
    ],
}


def contents(workspace: Workspace, paths: list[str]) -> dict[str, bytes]:
    files = [file for path in paths for file in (workspace.path / path, *(workspace.path / path).rglob("*"))]
    return {file.relative_to(workspace.path).as_posix(): file.read_bytes() for file in files if file.is_file()}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    workspace = Workspace.create(tmp_path_factory.mktemp("workspace"), dataset)
    workspace.dvc("repro")
    return workspace


def test_every_wing_that_is_left_out_is_tried() -> None:
    assert sorted(SILENT) == sorted(LEFT_OUT)


def test_without_the_wings_that_are_left_out_every_output_has_the_same_bytes(workspace: Workspace) -> None:
    before = {stage: contents(workspace, paths) for stage, paths in OUTPUTS.items()}
    assert all(before.values())
    time = workspace.path / "reports/times/candidate/s0.json"
    trained = time.read_bytes()
    (workspace.path / "mlflow.db").unlink()
    for name, code in SILENT.items():
        wing = workspace.path / name
        (wing / "__init__.py" if wing.is_dir() else wing).write_text(code, encoding="utf-8")
    silenced = workspace.dvc("repro")
    assert "Running stage 'check'" in silenced.output  # which looks at all of the code
    assert not any(silenced.ran(stage) for stage in OUTPUTS)
    for stage in OUTPUTS:
        again = workspace.dvc("repro", "--force", "--single-item", "--no-run-cache", stage)
        assert again.ran(stage)
        if stage == "train@candidate-0":  # it has another time now, which `compare` would repeat
            assert time.read_bytes() != trained
            time.write_bytes(trained)
    assert not Path(workspace.path / "mlflow.db").exists()  # it really was silent
    assert {stage: contents(workspace, paths) for stage, paths in OUTPUTS.items()} == before
