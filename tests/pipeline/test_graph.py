"""dvc.yaml says what the code does: dependencies, and no parameter's value on a shell line."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import yaml
from dvc.repo import Repo

from mobileyolo.core.config import Train
from tests.pipeline.imports import ROOT, closure

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
TEACHING = ("teacher", "dis")
CODE = re.compile(r"^(src|stages)/")


def stage_file(name: str) -> Path:
    """The file of ours that a stage runs."""
    (module,) = re.findall(r"python -m stages\.(\w+)", definition(name)["cmd"])
    return ROOT / "stages" / f"{module}.py"


def definition(name: str) -> dict[str, Any]:
    stage: dict[str, Any] = STAGES[name]
    return stage.get("do", stage)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_file_of_ours_that_it_needs_and_on_no_other(name: str) -> None:
    folder = definition(name).get("wdir", ".")
    dependencies = {posixpath.normpath(posixpath.join(folder, path)) for path in definition(name)["deps"]}
    declared = {path for path in dependencies if CODE.match(path)}
    needed = closure(stage_file(name))
    assert sorted(declared) == sorted(needed)


@pytest.mark.parametrize("name", STAGES)
def test_no_command_holds_a_value_from_params_yaml(name: str) -> None:
    """The arm's name is a constant of dvc.yaml: `item.arm` of a matrix, `key` of a foreach."""
    templates = re.findall(r"\$\{([^}]*)\}", definition(name)["cmd"])
    assert set(templates) <= {"item.arm", "key"}


def sources(name: str) -> set[str]:
    """Stages that a stage waits for, directly or not, as DVC itself sees the graph."""
    graph = Repo(str(ROOT)).index.graph
    by_name = {stage.name: stage for stage in graph}
    return {stage.name for stage in nx.descendants(graph, by_name[name])}  # DVC's edges point to what is needed


@pytest.mark.parametrize(
    "name", ["digits", "validate", "build@candidate", "train@baseline-0", "compare", "latency", "cost"]
)
def test_every_stage_waits_for_the_check_of_params_yaml(name: str) -> None:
    assert "check" in sources(name)


@pytest.mark.parametrize("name", ["build@baseline", "train@candidate-0", "evaluate@candidate-0", "latency", "cost"])
def test_nothing_is_built_or_trained_before_the_dataset_is_validated(name: str) -> None:
    assert "validate" in sources(name)


def test_a_training_depends_on_every_parameter_of_its_section_but_the_teacher() -> None:
    """It depends on the teacher through models/<arm>/teacher, so that teaching the candidate leaves the baseline."""
    assert definition("train")["params"] == [f"train.{name}" for name in Train.model_fields if name not in TEACHING]


def test_only_its_teacher_ties_a_candidate_to_the_baseline() -> None:
    graph = Repo(str(ROOT)).index.graph
    by_name = {stage.name: stage for stage in graph}
    graph = graph.copy()
    graph.remove_node(by_name["teach-candidate@0"])
    sources = {stage.name for stage in nx.descendants(graph, by_name["evaluate@candidate-0"])}
    assert not any("baseline" in source for source in sources)
