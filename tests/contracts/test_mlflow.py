"""What tracking/ and core/environment.py rely on in MLflow."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest

from tests.contracts.table import contract


@cache
def pages() -> str:
    """The code of MLflow's pages, which is all that reads some of its tags."""
    import mlflow.server

    folder = Path(mlflow.server.__file__).parent / "js/build/static/js"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js")))


@contract("MLFLOW_DATASET_CONTEXT")
def test_an_input_has_a_tag_for_what_it_was_used_for() -> None:
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    assert MLFLOW_DATASET_CONTEXT in pages()


@contract("mlflow_colspec")
def test_a_datasets_columns_are_what_mlflows_own_datasets_say(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow.data

    from mobileyolo.core.records import DatasetCard, SplitCount
    from mobileyolo.tracking.dataset import dataset_input

    theirs = json.loads(mlflow.data.from_pandas(pd.DataFrame({"x": [0.5]})).to_dict()["schema"])
    card = DatasetCard(digest="0" * 64, names=("square",), splits={"train": SplitCount(images=1, boxes=1)})
    ours = json.loads(dataset_input("folder", card).dataset.schema)
    assert theirs.keys() == ours.keys() == {"mlflow_colspec"}
    assert theirs["mlflow_colspec"][0].keys() == ours["mlflow_colspec"][0].keys()
    assert "mlflow_colspec" in pages()


@contract("mlflow.experimentKind")
def test_the_pages_know_the_kind_of_our_experiments() -> None:
    from mobileyolo.tracking import store

    ((tag, kind),) = store._MODEL_TRAINING.items()
    assert f'"{tag}"' in pages()
    assert f'"{kind}"' in pages()


@contract("utils._initialize_tables")
def test_a_new_database_has_all_that_is_asked_for(tmp_path: Path) -> None:
    from mlflow.store.db import utils
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{(tmp_path / 'new.db').as_posix()}")
    utils._initialize_tables(engine)
    utils._verify_schema(engine)  # raises an error if it lacks anything
    engine.dispose()


@contract("utils._all_tables_exist")
def test_tables_are_created_where_one_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import create_engine

    address = f"sqlite:///{(tmp_path / 'empty.db').as_posix()}"
    engine = create_engine(address)
    with engine.connect() as connection:
        assert not utils._all_tables_exist(connection)
    engine.dispose()

    def begin(_engine: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(utils, "_initialize_tables", begin)
    with pytest.raises(InterruptedError):
        SqlAlchemyStore(address, str(tmp_path))
    monkeypatch.setattr(utils, "_all_tables_exist", lambda _engine: True)
    with pytest.raises(Exception, match="out-of-date database schema"):
        SqlAlchemyStore(address, str(tmp_path))


@contract("utils._get_alembic_config")
def test_the_newest_revision_is_the_one_that_is_asked_for() -> None:
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils

    schemas = ScriptDirectory.from_config(utils._get_alembic_config(""))
    assert schemas.get_current_head() == utils._get_latest_schema_revision()
    assert len(list(schemas.walk_revisions())) > 10


@contract("mlflow.source.name")
def test_the_pages_read_a_runs_source() -> None:
    from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME

    assert MLFLOW_SOURCE_NAME == "mlflow.source.name"
    assert MLFLOW_SOURCE_NAME in pages()


@contract("mlflow.note.content")
def test_the_pages_read_a_runs_description() -> None:
    from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

    assert MLFLOW_RUN_NOTE == "mlflow.note.content"
    assert MLFLOW_RUN_NOTE in pages()


@contract("mlflow.sharedViewState")
def test_the_pages_open_a_view_by_a_link_that_names_it() -> None:
    """That the view is drawn as it should be is for tests/unit/tracking/test_pages_in_browser.py."""
    from mobileyolo.tracking.pages import VIEW_TAG, comparison_page, comparison_view

    prefix, _, key = VIEW_TAG.rpartition(".")
    assert f'"{prefix}."' in pages()
    link = dict(parse_qsl(comparison_page("1", charts=True).partition("?")[2]))
    assert link.pop("viewStateShareKey") == key
    assert '"viewStateShareKey"' in pages()
    for name, value in link.items():
        assert f'"{name}"' in pages()
        assert f'"{value}"' in pages()
    for name in json.loads(json.loads(comparison_view())["state"]):
        assert re.search(rf"\b{name}\b", pages())


@contract("mlflow.runColor")
def test_the_pages_read_a_runs_colour() -> None:
    assert '"mlflow.runColor"' in pages()


@contract("MlflowClient().get_logged_model")
def test_the_registry_of_a_database_looks_a_model_up_in_the_default_store(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    addresses = []
    for name in ("ours.db", "default.db"):
        shutil.copy(empty_store, tmp_path / name)
        addresses.append(f"sqlite:///{(tmp_path / name).as_posix()}")
    client = MlflowClient(addresses[0])
    model = client.create_logged_model("0")
    client.create_registered_model("models")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", addresses[1])
    with pytest.raises(MlflowException, match="not found"):
        client.create_model_version("models", f"models:/{model.model_id}", model_id=model.model_id)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", addresses[0])
    version = client.create_model_version("models", f"models:/{model.model_id}", model_id=model.model_id)
    assert client.get_model_version_download_uri("models", version.version) == model.artifact_location


@contract("mlflow.parentRunId")
def test_the_pages_read_a_runs_parent() -> None:
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    assert MLFLOW_PARENT_RUN_ID == "mlflow.parentRunId"
    assert MLFLOW_PARENT_RUN_ID in pages()


@contract("mlflow.modelVersions")
def test_the_pages_read_a_models_versions() -> None:
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    assert MLFLOW_MODEL_VERSIONS == "mlflow.modelVersions"
    assert MLFLOW_MODEL_VERSIONS in pages()


ECHO = """
from typing import Any
import mlflow
import numpy as np
from mlflow.pyfunc import PythonModel

class Echo(PythonModel):
    def predict(self, context, model_input: np.ndarray, params: dict[str, Any] | None = None):
        return [type(model_input).__name__]

mlflow.models.set_model(Echo())
"""


@contract("PythonModel.predict")
def test_an_input_annotated_as_an_array_is_handed_on_as_it_came(tmp_path: Path) -> None:
    import mlflow

    from mobileyolo.tracking import model

    (tmp_path / "echo.py").write_text(ECHO, encoding="utf-8")
    mlflow.pyfunc.save_model(
        path=tmp_path / "model",
        python_model=str(tmp_path / "echo.py"),
        pip_requirements=["mlflow"],
        signature=model._SIGNATURE,
    )
    echo = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    table = pd.DataFrame({"path": ["a.png"]})
    array = np.zeros((1, 2, 2, 3), np.uint8)
    given: list[object] = ["a.png", ["a.png"], array, [array[0]], table]
    assert [echo.predict(each) for each in given] == [["str"], ["list"], ["ndarray"], ["list"], ["DataFrame"]]


@contract("_is_signature_from_type_hint")
def test_an_input_is_held_against_the_schema_unless_that_came_from_a_type_hint(tmp_path: Path) -> None:
    import mlflow
    from mlflow.models import ModelSignature

    from mobileyolo.tracking import model

    (tmp_path / "echo.py").write_text(ECHO, encoding="utf-8")
    plain = ModelSignature(model._SIGNATURE.inputs, model._SIGNATURE.outputs, model._SIGNATURE.params)
    for name, signature in {"plain": plain, "ours": model._SIGNATURE}.items():
        mlflow.pyfunc.save_model(
            path=tmp_path / name,
            python_model=str(tmp_path / "echo.py"),
            pip_requirements=["mlflow"],
            signature=signature,
        )
    with pytest.raises(mlflow.MlflowException, match="Failed to enforce schema"):
        mlflow.pyfunc.load_model(str(tmp_path / "plain")).predict(["a.png"])
    assert mlflow.pyfunc.load_model(str(tmp_path / "ours")).predict(["a.png"]) == ["list"]


@contract("MLFLOW_DISABLE_TELEMETRY")
def test_usage_data_are_kept_where_the_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.telemetry import utils

    for name in ("_IS_MLFLOW_TESTING_TELEMETRY", "_IS_IN_CI_ENV_OR_TESTING", "_IS_MLFLOW_DEV_VERSION"):
        monkeypatch.setattr(utils, name, False)
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    assert utils.is_telemetry_disabled()
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    assert not utils.is_telemetry_disabled()  # the variable is what decides
