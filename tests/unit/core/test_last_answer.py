from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mobileyolo.core.files import ModelFiles, write_text
from mobileyolo.core.last_answer import FILE, LastAnswer, question
from mobileyolo.core.records import History

MODEL = ModelFiles("candidate", 0)
CODE = {"stages/history.py": "1"}
HISTORY = History(candidates=3, spread=None)


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for file in (MODEL.training, MODEL.metrics, MODEL.statistics / "evaluation.json", Path("mlflow.db")):
        write_text(file, "{}")
    return tmp_path


def asked(code: dict[str, str] = CODE) -> str | None:
    return question([MODEL], code)


def test_an_answer_is_remembered() -> None:
    question = asked()
    assert question is not None
    assert LastAnswer.find(question) is None
    LastAnswer(question=question, history=HISTORY).keep()
    found = LastAnswer.find(asked())
    assert found is not None
    assert found.history == HISTORY


@pytest.mark.parametrize(
    "change",
    [
        lambda: Path("mlflow.db").write_text("{ }", encoding="utf-8"),
        lambda: Path("mlflow.db").unlink(),
        lambda: Path("mlflow.db").replace("moved") and Path("mlflow.db").write_text("{}", encoding="utf-8"),
        lambda: Path("mlflow.db-wal").write_text("", encoding="utf-8"),  # what SQLite has not moved into the file yet
        lambda: MODEL.training.write_text("[]", encoding="utf-8"),
        lambda: MODEL.metrics.write_text("[]", encoding="utf-8"),
        lambda: (MODEL.statistics / "evaluation.json").write_text("[]", encoding="utf-8"),
    ],
)
def test_it_is_forgotten_where_the_store_or_a_model_has_changed(change: Callable[[], object]) -> None:
    before = asked()
    change()
    assert asked() != before


def test_it_is_forgotten_where_the_code_or_the_comparison_is_another_one() -> None:
    assert len({asked(), asked({"stages/history.py": "2"}), question([], CODE)}) == 3


def test_another_store_is_always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert asked() is None
    assert LastAnswer.find(None) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"question": "q"}', '{"question": "q", "history": {}}', "\0"])
def test_a_damaged_file_is_no_answer(text: str) -> None:
    write_text(FILE, text)
    assert LastAnswer.find("q") is None


def test_an_experiment_in_a_temporary_folder_shares_it_with_the_workspace(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    LastAnswer(question="q", history=HISTORY).keep()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    assert LastAnswer.find("q") is not None
