"""The table of hooks, the contract tests and the code hold each other: none has what another lacks."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from tests.contracts import table
from tests.contracts.table import ROOT, HookChangedError, hooks, locked_version

FOLDER = Path(__file__).parent
SOURCE = ROOT / "src"
VENDORS = ("ultralytics", "great_expectations", "mlflow", "dvc")


def contracts() -> dict[str, list[Callable[..., None]]]:
    """The contract tests by hook."""
    found: dict[str, list[Callable[..., None]]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.contracts.{path.stem}")
        for test in vars(module).values():
            if inspect.isfunction(test) and "hook" in vars(test):
                found.setdefault(vars(test)["hook"], []).append(test)
    return found


def test_each_row_has_one_contract_test_and_each_contract_test_a_row() -> None:
    found = contracts()
    assert set(found) == set(hooks())
    assert {name: len(tests) for name, tests in found.items() if len(tests) != 1} == {}


def test_each_row_names_a_vendor_at_the_version_that_is_locked() -> None:
    expected = {hook.name: locked_version(table.PACKAGES[hook.vendor]) for hook in hooks().values()}
    assert {hook.name: hook.written_for for hook in hooks().values()} == expected


@pytest.mark.parametrize("hook", hooks().values(), ids=list(hooks()))
def test_each_row_names_a_file_of_ours_that_uses_the_hook(hook: table.Hook) -> None:
    words = set(re.findall(r"\w+", (ROOT / hook.file).read_text(encoding="utf-8")))
    assert set(re.findall(r"\w+", hook.name)) <= words


def test_each_row_is_told_as_a_sentence() -> None:
    hook = hooks()["BaseTrainer._handle_nan_recovery"]
    assert hook.broken() == (
        f"Ultralytics {version('ultralytics')} no longer calls `_handle_nan_recovery` after each epoch, when `loss` "
        "and `fitness` are set; see src/mobileyolo/training/trainer.py"
    )


def our_modules() -> Iterator[Any]:
    import mobileyolo

    for found in pkgutil.walk_packages(mobileyolo.__path__, "mobileyolo."):
        if not found.name.endswith("__main__"):  # which runs the command line
            yield importlib.import_module(found.name)


def test_each_method_of_a_vendor_that_is_overridden_has_a_row() -> None:
    overridden = set()
    for module in our_modules():
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == module.__name__:
                theirs = [each for each in kind.__mro__ if each.__module__.split(".")[0] in VENDORS]
                ours = [name for name, value in vars(kind).items() if callable(value) and not name.startswith("__")]
                overridden |= {name for name in ours for each in theirs if name in vars(each)}
    assert {"_handle_nan_recovery", "_process_batch", "get_labels", "predict"} <= overridden  # the search finds some
    rows = {hook.name.rpartition(".")[2] for hook in hooks().values()}
    # Methods that documentation tells to override.
    assert overridden - rows == {"load_context"}


def test_each_private_name_of_a_vendor_that_is_used_has_a_row() -> None:
    ours: set[str] = set()
    used: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                ours.add(node.name)
            elif isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                (ours if isinstance(node.ctx, ast.Store) else used).add(node.attr)
    foreign = used - ours - {"_fields", "_exit"}  # documented, of a named tuple and of os
    assert foreign >= {"_close_dataloader_mosaic", "_get_iterator", "_initialize_tables"}  # the search finds some
    assert foreign <= {name.rpartition(".")[2] for name in hooks()}


def test_each_global_of_a_vendor_that_is_set_has_a_row() -> None:
    assigned = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in VENDORS
            for alias in node.names
        }
        for node in ast.walk(tree):
            for target in node.targets if isinstance(node, ast.Assign) else []:
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) in imported:
                    assigned.add(ast.unparse(target))
    assert assigned == {"torch_utils.NUM_THREADS", "validator.check_det_dataset", "events.enabled"}
    assert assigned <= set(hooks())


def font_from_elsewhere() -> tuple[Any, str, Any]:
    from ultralytics.utils import checks

    return checks, "check_font", lambda font: None


def no_recovery() -> tuple[Any, str, Any]:
    """A training loop that asks another method, which returns nothing."""
    from ultralytics.engine import trainer

    code = trainer.BaseTrainer._do_train.__code__
    names = tuple("run_callbacks" if name == "_handle_nan_recovery" else name for name in code.co_names)
    return trainer.BaseTrainer, "_do_train", FunctionType(code.replace(co_names=names), vars(trainer))


def torchvision_with_a_new_attribute() -> tuple[Any, str, Any]:
    from ultralytics.nn.modules import TorchVision

    return TorchVision, "forward", lambda self, x: self.unwrapped(x)


def threads_by_another_name() -> tuple[Any, str, Any]:
    from ultralytics.utils import torch_utils

    return torch_utils, "select_device", lambda *_, **__: None


def another_integration() -> tuple[Any, str, Any]:
    from ultralytics.utils import SETTINGS

    return SETTINGS, "defaults", SETTINGS.defaults | {"newcomer": True}


def matrix_by_actual_class() -> tuple[Any, str, Any]:
    from ultralytics.utils.metrics import ConfusionMatrix

    original = ConfusionMatrix.process_batch

    def transposed(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        self.matrix = self.matrix.T

    return ConfusionMatrix, "process_batch", transposed


def another_tag() -> tuple[Any, str, Any]:
    from mlflow.utils import mlflow_tags

    return mlflow_tags, "MLFLOW_SOURCE_NAME", "mlflow.run.source"


def stage_by_another_variable() -> tuple[Any, str, Any]:
    from dvc import env

    return env, "DVC_STAGE", "DVC_STAGE_NAME"


CHANGES = [
    ("downloads.is_url", font_from_elsewhere),
    ("BaseTrainer._handle_nan_recovery", no_recovery),
    ("TorchVision.__new__", torchvision_with_a_new_attribute),
    ("torch_utils.NUM_THREADS", threads_by_another_name),
    ("SETTINGS", another_integration),
    ("ConfusionMatrix.process_batch", matrix_by_actual_class),
    ("mlflow.source.name", another_tag),
    ("DVC_STAGE", stage_by_another_variable),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[change.__name__ for _, change in CHANGES])
def test_a_vendor_that_changes_is_told(
    name: str, change: Callable[[], tuple[Any, str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.contracts import recording

    (test,) = contracts()[name]
    fixtures = {"tmp_path": tmp_path, "monkeypatch": monkeypatch}
    given = {key: fixtures[key] for key in inspect.signature(test).parameters}
    vendor, attribute, changed = change()
    monkeypatch.setattr(vendor, attribute, changed)
    recording.trained.cache_clear()
    try:
        with pytest.raises(HookChangedError, match=re.escape(hooks()[name].broken())):
            test(**given)
    finally:
        recording.trained.cache_clear()


def test_a_name_that_is_gone_is_told_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import nms

    monkeypatch.delattr(nms, "non_max_suppression")
    (test,) = contracts()["non_max_suppression"]
    with pytest.raises(HookChangedError, match=r"see src/mobileyolo/deployment/delivery\.py") as told:
        test()
    assert isinstance(told.value.__cause__, ImportError)
