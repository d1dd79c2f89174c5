"""The model as MLflow serves it, in a process where this package can't be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient
from PIL import Image

from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.tracking import _log_model

SCRIPT = """
import json, sys
sys.modules["mobileyolo"] = None  # importing it fails
import mlflow, numpy as np, pandas as pd
from PIL import Image

model, *paths = sys.argv[1:]
loaded = mlflow.pyfunc.load_model(model)
anything, nothing = {"conf": 0.001}, {"conf": 1.0}
by_path = loaded.predict(paths, params=anything)
by_array = loaded.predict([np.asarray(Image.open(path)) for path in paths], params=anything)
by_table = loaded.predict(pd.DataFrame({"path": paths}), params=anything)
pd.testing.assert_frame_equal(by_path, by_array)
pd.testing.assert_frame_equal(by_path, by_table)
empty = loaded.predict(paths, params=nothing)
refused = []
for bad in (["gone.png"], [np.zeros((4, 4))], [np.full((4, 4, 3), 0.5)]):
    try:
        loaded.predict(bad)
    except ValueError as error:
        refused.append(str(error))
print(json.dumps({
    "rows": len(by_path), "images": sorted(set(by_path["image"])), "empty": len(empty), "refused": refused,
    "types": [{name: str(kind) for name, kind in table.dtypes.items()} for table in (by_path, empty)],
}))
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logged model that is unsure of everything, so that it finds something."""
    folder = tmp_path_factory.mktemp("store")
    torch.manual_seed(0)
    model = bridge.build_model(model_dict("mnv1_n", 2, bridge.stock_architecture()))
    model.names = {0: "square", 1: "bar"}
    model.args = {"imgsz": 64, "task": "detect"}
    with torch.no_grad():
        for branch in model.model[-1].cv3:
            branch[-1].bias.fill_(0)
    weights = folder / "best.pt"
    torch.save({"model": model.half(), "train_args": model.args}, weights)
    client = MlflowClient(f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
    experiment = client.create_experiment("models", artifact_location=(folder / "runs").as_uri())
    _log_model(client, client.create_run(experiment).info.run_id, weights)
    (path,) = folder.glob("runs/*/artifacts/model")
    return path


def test_a_logged_model_predicts_one_typed_table_from_paths_arrays_and_columns(logged: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.effect_noise((64, 48), 80 + number).convert("RGB").save(paths[-1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(logged), *paths], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["rows"] > 0
    assert told["images"] == [0, 1]
    assert told["empty"] == 0
    with_boxes, without = told["types"]
    assert with_boxes == without
    assert (with_boxes["image"], with_boxes["confidence"], with_boxes["x1"]) == ("int64", "float64", "float64")
    missing, grey, fractions = told["refused"]
    assert "'gone.png' is no file with an image" in missing
    assert "shape (4, 4)" in grey
    assert "type float64" in fractions


def test_a_logged_model_asks_for_libraries_only_and_holds_none_of_our_modules(logged: Path) -> None:
    wanted = {line.partition("==")[0] for line in (logged / "requirements.txt").read_text().split()}
    assert wanted == {"mlflow", "numpy", "pandas", "torch", "torchvision", "ultralytics"}
    assert sorted(path.name for path in logged.rglob("*.py")) == ["serving.py"]
