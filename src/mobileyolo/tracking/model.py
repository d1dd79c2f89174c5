"""The loadable model that a run keeps: its inputs and outputs, and the packages that it needs."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model, ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from mobileyolo.tracking.descriptions import of_model

logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)  # else it says of each model that it looks at its example

_CODE = Path(__file__).with_name("serving.py")
_READER = Path(__file__).parents[1] / "models/checkpoints.py"  # what serving.py imports
# Images as serving.py takes them (it takes paths as well, which no schema can say), the table that it returns, and
# Ultralytics' defaults.
_SIGNATURE = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))]),
    outputs=Schema(
        [
            *[ColSpec(DataType.long, name) for name in ("image", "class_id")],
            ColSpec(DataType.string, "name"),
            *[ColSpec(DataType.double, name) for name in ("confidence", "x1", "y1", "x2", "y2")],
        ]
    ),
    params=ParamSchema([ParamSpec("conf", DataType.double, 0.25), ParamSpec("iou", DataType.double, 0.7)]),
)
# MLflow (3.17) would refuse lists and paths by this schema. It hands on every input where it takes the schema for one
# that came from a type hint.
_SIGNATURE._is_signature_from_type_hint = True
_EXAMPLE = np.full((1, 32, 32, 3), 128, np.uint8)  # a grey image; small, since MLflow keeps it as text


def find_model(client: MlflowClient, run_id: str) -> LoggedModel | None:
    """The run's model as MLflow lists it, whether its files are there or not; None if nobody has logged one."""
    experiment = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment], f"source_run_id = '{run_id}'", max_results=1)
    return found[0] if found else None


def name_of_model(params: Mapping[str, str]) -> str:
    """The name of a run's model, by which MLflow loads it from runs:/<id>/<name>.

    >>> name_of_model({"backbone": "mnv1@0.75", "seed": "0"})  # MLflow takes no dot
    'mnv1@0_75-s0'
    """
    return f"{params['backbone']}-s{params['seed']}".replace(".", "_")


def has_model(client: MlflowClient, run_id: str) -> bool:
    """Is a model there that MLflow can load?"""
    model = find_model(client, run_id)
    if model is None or model.status != LoggedModelStatus.READY:
        return False
    return "MLmodel" in {item.path for item in client.list_logged_model_artifacts(model.model_id)}


def log_model(client: MlflowClient, run_id: str, weights: Path) -> None:
    """Store the model in a form that MLflow can load from runs:/<id>/<name>, in place of one that is there.

    It is an output of the run, with the run's parameters and with tags that say which model it is.
    """
    run = client.get_run(run_id)
    model = find_model(client, run_id) or _create_model(client, run)
    with tempfile.TemporaryDirectory() as folder:
        described = Model(
            artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run_id, model_id=model.model_id
        )
        save_model(weights, Path(folder) / "model", described)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    if model.model_id not in {output.model_id for output in run.outputs.model_outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _create_model(client: MlflowClient, run: Run) -> LoggedModel:
    model = client.create_logged_model(
        run.info.experiment_id,
        name_of_model(run.data.params),
        source_run_id=run.info.run_id,
        params=run.data.params,
        tags={key: run.data.tags[key] for key in ("arm", "data.digest", "weights.digest") if key in run.data.tags},
        model_type="detector",
    )
    client.set_logged_model_tags(model.model_id, {"mlflow.note.content": of_model(model.model_id)})
    return model


def save_model(weights: Path, folder: Path, described: Model | None = None) -> None:
    """Write a model as MLflow loads it.

    Args:
        weights: the model's best.pt.
        folder: a new one.
        described: what the store knows of the model already.
    """
    # MLflow resets the filters that would hide its warnings of a code file's annotations.
    with tempfile.TemporaryDirectory() as beside, warnings.catch_warnings(record=True):
        # A copy, because best.pt may be a link into DVC's cache. MLflow (3.17) takes no link that leads out of its
        # folder, and by the link's end the model would lose its name.
        copied = shutil.copyfile(weights, Path(beside) / weights.name)
        mlflow.pyfunc.save_model(
            path=folder,
            mlflow_model=described,
            python_model=str(_CODE),
            code_paths=[str(_READER)],
            artifacts={"weights": copied.as_posix()},
            pip_requirements=_requirements(),
            signature=_SIGNATURE,
            input_example=_EXAMPLE,
        )


def _requirements() -> list[str]:
    """Packages that the model needs to predict, at the versions that it was trained with."""
    return [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "torch", "torchvision", "ultralytics")]
