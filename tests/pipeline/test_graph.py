"""dvc.yaml says what the code does: dependencies, and no parameter's value on a shell line."""

from __future__ import annotations

import re
from typing import Any

import networkx as nx
import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.imports import ROOT, closure

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
CODE = re.compile(r"^(src|stages)/")


def definition(name: str) -> dict[str, Any]:
    stage: dict[str, Any] = STAGES[name]
    return stage.get("do", stage)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_file_of_ours_that_it_needs_and_on_no_other(name: str) -> None:
    declared = {path for path in definition(name)["deps"] if CODE.match(path)}
    needed = closure(ROOT / "stages" / f"{name}.py")
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


def test_a_candidate_hangs_on_nothing_of_the_baseline() -> None:
    assert not any("baseline" in source for source in sources("evaluate@candidate-0"))
