"""The loadable model that a run keeps: its inputs and outputs, and the packages that it needs."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

_CODE = Path(__file__).with_name("serving.py")
_READER = Path(__file__).parents[1] / "models/checkpoints.py"  # what serving.py imports
# The table that serving.py returns, and Ultralytics' defaults. The inputs are paths or arrays; no schema can say so.
_SIGNATURE = ModelSignature(
    outputs=Schema(
        [
            *[ColSpec(DataType.long, name) for name in ("image", "class_id")],
            ColSpec(DataType.string, "name"),
            *[ColSpec(DataType.double, name) for name in ("confidence", "x1", "y1", "x2", "y2")],
        ]
    ),
    params=ParamSchema([ParamSpec("conf", DataType.double, 0.25), ParamSpec("iou", DataType.double, 0.7)]),
)


def has_model(client: MlflowClient, run_id: str) -> bool:
    """Is a model there that MLflow can load?"""
    return "model/MLmodel" in {item.path for item in client.list_artifacts(run_id, "model")}


def log_model(client: MlflowClient, run_id: str, weights: Path) -> None:
    """Store the model in a form that MLflow can load from runs:/<id>/model, in place of one that is there."""
    # MLflow warns that there is no input example, and resets the filters that would hide the warning.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True):
        # A copy, because best.pt may be a link into DVC's cache. MLflow (3.17) takes no link that leads out of its
        # folder, and by the link's end the model would lose its name.
        copied = shutil.copyfile(weights, Path(folder) / weights.name)
        mlflow.pyfunc.save_model(
            path=Path(folder) / "model",
            python_model=str(_CODE),
            code_paths=[str(_READER)],
            artifacts={"weights": copied.as_posix()},
            pip_requirements=_requirements(),
            signature=_SIGNATURE,
        )
        client.log_artifacts(run_id, str(Path(folder) / "model"), "model")


def _requirements() -> list[str]:
    """Packages that the model needs to predict, at the versions that it was trained with."""
    return [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "torch", "torchvision", "ultralytics")]
