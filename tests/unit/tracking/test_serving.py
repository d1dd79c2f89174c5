"""The model that MLflow stores, loaded as a user loads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.pyfunc import scoring_server
from PIL import Image

from mobileyolo.tracking.model import save_model
from tests.synthetic import write_dataset
from tests.unit.tracking.weights import write_weights

NAMES = ("square", "bar")
ANY_BOX = {"conf": 1e-6}  # an untrained network has low confidences
TYPES = {"image": "int64", "class_id": "int64", "name": "string"} | dict.fromkeys(
    ("confidence", "x1", "y1", "x2", "y2"), "float64"
)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a logged model."""
    folder = tmp_path_factory.mktemp("store")
    write_weights(folder / "best.pt", NAMES)
    save_model(folder / "best.pt", folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def model(logged: Path) -> mlflow.pyfunc.PyFuncModel:
    return mlflow.pyfunc.load_model(str(logged))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = write_dataset(tmp_path_factory.mktemp("images") / "shapes", train=3)
    return sorted(str(path) for path in (root / "train/images").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_weights_that_are_a_link_into_dvcs_cache_keep_their_name(
    logged: Path, model: mlflow.pyfunc.PyFuncModel, paths: list[str], tmp_path: Path
) -> None:
    """With cache.type symlink, best.pt leads to a file that is named after its digest and has no ending."""
    cached = tmp_path / "cache/files/md5/d7/dc4dbfc610d8"
    cached.parent.mkdir(parents=True)
    shutil.copy(logged.parent / "best.pt", cached)
    weights = tmp_path / "workspace/models/candidate/s0/best.pt"
    weights.parent.mkdir(parents=True)
    weights.symlink_to(cached)
    save_model(weights, tmp_path / "model")
    kept = tmp_path / "model/artifacts/best.pt"
    assert (kept.is_symlink(), kept.read_bytes()) == (False, cached.read_bytes())
    pd.testing.assert_frame_equal(table(mlflow.pyfunc.load_model(str(kept.parents[1])), paths), table(model, paths))


def rgb(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def table(model: mlflow.pyfunc.PyFuncModel, images: object, **params: float) -> pd.DataFrame:
    found: pd.DataFrame = model.predict(images, params={**ANY_BOX, **params})
    return found


def test_paths_arrays_and_a_column_of_paths_are_the_same_to_it(
    model: mlflow.pyfunc.PyFuncModel, paths: list[str]
) -> None:
    expected = table(model, paths)
    assert set(expected["image"]) == {0, 1, 2}
    arrays = [rgb(path) for path in paths]
    for images in (arrays, np.stack(arrays), np.array(paths), pd.DataFrame({"file": paths}, index=[7, 8, 9])):
        pd.testing.assert_frame_equal(table(model, images), expected)
    pd.testing.assert_frame_equal(table(model, paths[0]), expected[expected["image"] == 0])


def test_arrays_are_rgb(model: mlflow.pyfunc.PyFuncModel, paths: list[str]) -> None:
    assert not table(model, [rgb(paths[0])[..., ::-1]]).equals(table(model, paths[:1]))


def test_images_of_different_sizes_go_together(model: mlflow.pyfunc.PyFuncModel, paths: list[str]) -> None:
    large = np.asarray(Image.open(paths[0]).resize((200, 120)))
    found = table(model, [rgb(paths[0]), large])
    right, bottom = (found.groupby("image")[side].max() for side in ("x2", "y2"))
    assert right[0] <= 64 < right[1] <= 200  # pixels of the original image, not of the network's input
    assert bottom[0] <= 64 < bottom[1] <= 120


def test_the_table_is_typed_with_boxes_and_without(model: mlflow.pyfunc.PyFuncModel, paths: list[str]) -> None:
    some, none, no_image = table(model, paths), table(model, paths, conf=1.0), table(model, [])
    assert len(some) > len(none) == len(no_image) == 0
    for found in (some, none, no_image):
        assert {name: str(kind) for name, kind in found.dtypes.items()} == TYPES
    assert set(some["name"]) == set(NAMES)
    assert (some["name"] == some["class_id"].map(dict(enumerate(NAMES)))).all()


def test_the_signature_says_what_comes_out(model: mlflow.pyfunc.PyFuncModel, paths: list[str]) -> None:
    signature = model.metadata.signature
    assert [column.name for column in signature.outputs] == list(table(model, paths).columns)
    told = {"long": "int64", "string": "string", "double": "float64"}
    assert [told[column.type.name] for column in signature.outputs] == list(TYPES.values())
    assert {spec.name: spec.default for spec in signature.params} == {"conf": 0.25, "iou": 0.7}


def test_conf_and_iou_are_obeyed(model: mlflow.pyfunc.PyFuncModel, paths: list[str]) -> None:
    every = table(model, paths)
    threshold = float(every["confidence"].median())
    sure = table(model, paths, conf=threshold)
    assert 0 < len(sure) < len(every)
    assert (sure["confidence"] >= threshold).all()
    assert len(table(model, paths, iou=0.05)) < len(every)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (["nowhere.png"], "'nowhere.png' is not an image file"),
        (["0"], "'0' is not an image file"),  # Ultralytics would open a camera
        ([__file__], "is not an image file"),
        (["https://example.invalid/a.jpg"], "is not an image file"),
        ([np.zeros((8, 8), np.uint8)], r"shape \(8, 8\)"),
        ([np.zeros((8, 8, 4), np.uint8)], r"shape \(8, 8, 4\)"),
        ([np.zeros((0, 8, 3), np.uint8)], r"shape \(0, 8, 3\)"),
        ([np.zeros((8, 8, 3))], "type float64"),
        ([np.full((8, 8, 3), 256)], "0 to 255"),
        (np.zeros((8, 8, 3), np.uint8), r"shape \(8, 3\)"),  # one image instead of a list of images
        (pd.DataFrame({"file": ["a.png"], "id": [1]}), r"one column, of paths, not \['file', 'id'\]"),
    ],
)
def test_what_is_no_image_is_refused(model: mlflow.pyfunc.PyFuncModel, images: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        table(model, images)


@pytest.mark.parametrize("form", ["paths", "arrays"])
def test_a_scoring_server_takes_json(model: mlflow.pyfunc.PyFuncModel, paths: list[str], form: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "paths": {"inputs": paths},
        "arrays": {"inputs": [rgb(path).tolist() for path in paths]},
    }
    schema = model.metadata.get_input_schema()
    answer = scoring_server.invocations(
        json.dumps({**bodies[form], "params": ANY_BOX}), "application/json", model, schema
    )
    assert answer.status == 200
    pd.testing.assert_frame_equal(
        pd.DataFrame(json.loads(answer.response)["predictions"]).astype(TYPES), table(model, paths)
    )


def test_its_example_is_one_that_it_takes_and_that_its_schema_describes(model: mlflow.pyfunc.PyFuncModel) -> None:
    example = model.input_example
    assert (example.shape, example.dtype) == ((1, 32, 32, 3), np.uint8)
    (spec,) = model.metadata.get_input_schema().inputs
    assert (spec.type, spec.shape) == (np.uint8, (-1, -1, -1, 3))
    assert set(table(model, example)["image"]) == {0}


def test_it_needs_nothing_of_this_package(
    logged: Path, model: mlflow.pyfunc.PyFuncModel, paths: list[str], tmp_path: Path
) -> None:
    """In another process and folder, without mobileyolo."""
    script = """
import json, sys
sys.modules["mobileyolo"] = None  # makes an import fail
import mlflow
found = mlflow.pyfunc.load_model(sys.argv[1]).predict(json.loads(sys.argv[2]), params=json.loads(sys.argv[3]))
from ultralytics.utils import AUTOINSTALL, ONLINE
assert (AUTOINSTALL, ONLINE) == (False, False)
print(found.to_json(orient="split"))
"""
    mine = ("YOLO_OFFLINE", "YOLO_AUTOINSTALL")
    environment = {name: value for name, value in os.environ.items() if name not in mine}
    arguments = [str(logged), json.dumps(paths), json.dumps(ANY_BOX)]
    process = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    found = pd.DataFrame(**json.loads(process.stdout.splitlines()[-1]))
    pd.testing.assert_frame_equal(found.astype(TYPES), table(model, paths), check_exact=False, atol=1e-4)
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in logged.rglob("*.py")) == ["checkpoints.py", "serving.py"]


class Exploit:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("first", ["ultralytics", "mlflow"])
def test_weights_that_would_run_code_are_refused_whatever_was_imported_first(
    logged: Path, tmp_path: Path, first: str
) -> None:
    """Ultralytics decides on its import how it loads, so a variable that is set later has no effect."""
    shutil.copytree(logged, tmp_path / "model")
    (weights,) = (tmp_path / "model").rglob("best.pt")
    torch.save({"model": Exploit(tmp_path / "pwned"), "ema": None, "train_args": {}}, weights)
    script = f"import {first}; import mlflow, sys; mlflow.pyfunc.load_model(sys.argv[1])"
    variables = {name: value for name, value in os.environ.items() if name != "ULTRALYTICS_SAFE_LOAD"}
    process = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "which no detector or classifier needs" in process.stderr
    assert not (tmp_path / "pwned").exists()


def test_its_requirements_are_what_its_code_imports(logged: Path) -> None:
    files = list(logged.rglob("*.py"))
    code, text = (
        "\n".join(path.read_text(encoding="utf-8") for path in paths)
        for paths in (files, [logged / "requirements.txt"])
    )
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE)) - sys.stdlib_module_names
    imported -= {path.stem for path in files}
    required = {line.partition("==")[0] for line in text.splitlines()}
    assert imported <= required
    assert required - imported == {"torchvision"}  # under Ultralytics, at the version of the training
