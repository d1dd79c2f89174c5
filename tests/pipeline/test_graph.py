"""dvc.yaml says what the code does: dependencies, and no parameter's value on a shell line."""

from __future__ import annotations

import ast
import posixpath
import re
import shutil
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import yaml
from dvc.repo import Repo

from mobileyolo.core.config import ImageSize, load_params
from mobileyolo.core.declared import declared_parameters
from mobileyolo.core.errors import StageError
from mobileyolo.progress import stage_line, stage_order
from mobileyolo.training.parameters import TrainingRecipe
from tests.pipeline.imports import ROOT, closure

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
CODE = re.compile(r"^(src|stages)/")


def stage_file(name: str) -> Path:
    """The file of ours that a stage runs."""
    (module,) = re.findall(r"python -m stages\.(\w+)", definition(name)["cmd"])
    return ROOT / "stages" / f"{module}.py"


def definition(name: str) -> dict[str, Any]:
    stage: dict[str, Any] = STAGES[name]
    return stage.get("do", stage)  # type: ignore[no-any-return]


# Wings that stages import and that can't change what they write; tests/pipeline/test_left_out.py shows that. The stage
# history does read MLflow's store, through tracking; it runs every time, whatever it declares.
LEFT_OUT = (
    "src/mobileyolo/endings.py",
    "src/mobileyolo/extras.py",
    "src/mobileyolo/progress.py",
    "src/mobileyolo/tracking",
)


def declared(name: str) -> set[str]:
    """Folders and files of ours that a stage declares, as paths below the root."""
    folder = definition(name).get("wdir", ".")
    paths = {posixpath.normpath(posixpath.join(folder, path)) for path in definition(name)["deps"]}
    return {path for path in paths if CODE.match(path)}


def covers(path: str, file: str) -> bool:
    return file == path or file.startswith(f"{path}/")


@pytest.mark.parametrize("name", STAGES)
def test_what_a_stage_imports_lies_in_what_it_declares(name: str) -> None:
    needed = closure(stage_file(name), LEFT_OUT)
    assert sorted(file for file in needed if not any(covers(path, file) for path in declared(name))) == []


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_nothing_of_ours_that_it_does_not_need(name: str) -> None:
    needed = closure(stage_file(name), LEFT_OUT)
    assert sorted(path for path in declared(name) if not any(covers(path, file) for file in needed)) == []


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_declares_a_wing_that_cannot_change_its_outputs(name: str) -> None:
    found = {path for path in declared(name) for wing in LEFT_OUT if covers(path, wing)}
    assert found == ({"src/mobileyolo"} if name == "check" else set())  # its output is always the same file


def test_only_the_stage_that_reads_mlflows_store_runs_every_time() -> None:
    assert [name for name in STAGES if definition(name).get("always_changed")] == ["history"]


def wing_of(file: Path) -> str:
    """First folder below the package, or the file itself."""
    return file.relative_to(ROOT / "src/mobileyolo").parts[0]


def stages_after(wing: str) -> list[str]:
    """Stages that run again, in the order of dvc.yaml, after an edit of a wing."""
    return [name for name in STAGES if any(covers(path, f"src/mobileyolo/{wing}") for path in declared(name))]


def test_architecture_says_what_an_edit_of_each_wing_runs_again() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told = {row[0]: row[1] for row in re.findall(r"^\| `([\w/.]+)` \| (.*) \|$", page, flags=re.MULTILINE)}
    entries = {wing_of(file) for file in (ROOT / "src/mobileyolo").rglob("*.py")} - {"__main__.py"}
    reports = {f"reporting/{part}" for part in ("comparison", "dataset", "leaderboard", "shared", "study")}
    expected = {}
    for part in (entries - {"reporting"}) | reports:
        expected[part] = ", ".join(name for name in stages_after(part) if name != "check") or "nothing"
    assert told == expected


def drawn_files(block: str) -> set[str]:
    """Files in the tree that ARCHITECTURE.md draws, as paths below the package."""
    path: list[str] = []
    files = set()
    for line in block.splitlines():
        entry = re.match(r"( +)([\w./]+)", line)
        if entry and len(entry[1]) % 2 == 0:
            path[len(entry[1]) // 2 - 1 :] = [entry[2].rstrip("/")]
            if entry[2].endswith(".py"):
                files.add("/".join(path))
    return files


def test_architecture_draws_every_module() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = page.partition("src/mobileyolo/\n")[2].partition("tests/unit/")[0]
    package = ROOT / "src/mobileyolo"
    modules = {file.relative_to(package).as_posix() for file in package.rglob("*.py")}
    whole = ("reporting/", "commands/", "dataset/quality/", "dataset/data_docs/")  # drawn as folders
    named = {name for name in modules if not name.endswith(("__init__.py", "__main__.py"))}
    drawn = drawn_files(block)
    assert {name for name in drawn if not name.startswith(whole)} == {n for n in named if not n.startswith(whole)}
    assert drawn <= modules


FLOORS = (
    ("core", "extras.py", "version.py"),
    (
        *("digits.py", "endings.py", "experiments.py", "loading.py", "progress.py"),
        *("models", "dataset", "leaderboard", "verdict"),
    ),
    ("importing", "training", "evaluation", "family"),
    ("deployment",),
    ("costs", "tracking", "reporting", "downloads.py"),
    ("study",),
    ("doctor.py", "parameters.py"),
    ("commands",),
)


def imported_wings(file: Path) -> set[str]:
    """Wings that a file imports from, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "mobileyolo":
            names |= {alias.name for alias in node.names if not alias.name.startswith("__")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mobileyolo."):
            names.add(str(node.module).split(".")[1])
    return {name if (ROOT / "src/mobileyolo" / name).is_dir() else f"{name}.py" for name in names}


def test_no_wing_imports_one_of_its_own_floor_or_above() -> None:
    floor = {wing: number for number, wings in enumerate(FLOORS) for wing in wings}
    climbing = []
    for file in sorted((ROOT / "src/mobileyolo").rglob("*.py")):
        own = wing_of(file)
        if own in {"__init__.py", "__main__.py"}:
            continue
        higher = [other for other in imported_wings(file) - {own} if floor[other] >= floor[own]]
        climbing += [f"{file.relative_to(ROOT)} imports from {other}" for other in higher]
    assert climbing == []


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


@pytest.mark.parametrize("name", ["train", "train-teacher"])
def test_a_training_depends_on_every_parameter_of_its_section_but_the_teacher(name: str) -> None:
    """It depends on the teacher through models/<arm>/teacher, so that teaching the candidate leaves the baseline."""
    assert definition(name)["params"] == [f"train.{name}" for name in TrainingRecipe.model_fields]


@pytest.mark.parametrize("step", ["train", "evaluate"])
def test_the_teacher_is_trained_and_measured_as_an_arm_is(step: str) -> None:
    """It depends on the same code, data and parameters, and, but for a teacher of its own, on the same files."""
    arm = {"${item.arm}": "teacher", "${item.seed}": "${item}"}
    of_an_arm = yaml.safe_dump(definition(step)["deps"])
    for template, value in arm.items():
        of_an_arm = of_an_arm.replace(template, value)
    expected = set(yaml.safe_load(of_an_arm)) - {"models/teacher/teacher/s${item}"}
    assert set(definition(f"{step}-teacher")["deps"]) == expected
    assert definition(f"{step}-teacher")["params"] == definition(step)["params"]


def test_what_trains_the_teacher_depends_on_neither_arm_nor_on_who_is_taught() -> None:
    needed = sources("evaluate-teacher@0")
    assert not any("baseline" in source or "candidate" in source or source.startswith("teach-") for source in needed)
    assert "fetch@teacher" not in needed


def test_a_stage_reads_the_parameters_that_it_declares_and_no_others() -> None:
    params = load_params(ROOT / "params.yaml", declared_parameters(ROOT / "dvc.yaml", "build@candidate"))
    assert params.get("train.imgsz", ImageSize) == 128
    assert params.data_dir  # where the data lies decides no result
    for undeclared in ("train.epochs", "baseline", "seeds", "data.group"):
        with pytest.raises(StageError, match=f"{undeclared} was read, but dvc.yaml does not name it"):
            params.get(undeclared, object)
    with pytest.raises(StageError, match="does not name it among"):
        params.section(TrainingRecipe)


@pytest.mark.parametrize(
    ("stage", "keys"),
    [
        ("digits", {"digits"}),
        ("validate", {"data.group", "evaluate.split", "validate"}),
        ("fetch@teacher", {"init.teacher"}),
        ("build@baseline", {"baseline", "train.imgsz"}),
        ("build@teacher", {"train.teacher", "train.imgsz"}),
        ("teach-candidate@0", {"seeds", "train.dis", "train.taught", "train.teacher"}),
        ("evaluate@candidate-0", {"evaluate", "train.imgsz"}),
        ("check", None),  # all of the file
    ],
)
def test_a_stages_parameters_are_those_of_dvc_yaml(stage: str, keys: set[str] | None) -> None:
    assert declared_parameters(ROOT / "dvc.yaml", stage) == keys


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_the_console_counts_stages_in_dvcs_own_order(seeds: list[int], tmp_path: Path) -> None:
    for name in ("dvc.yaml", "data/weights/none"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"seeds": seeds}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    graph = Repo.init(str(tmp_path), no_scm=True).index.graph
    dvcs = [stage.name for stage in nx.dfs_postorder_nodes(graph)]
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert stage_order(pipeline, seeds) == dvcs


def test_the_console_counts_the_training_of_a_teacher_only_where_there_is_one() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    for teacher, trainings in (("none", 2), ("baseline", 2), ("yolo11s", 3)):
        params = {"seeds": [0], "train": {"teacher": teacher}}
        assert stage_line("build@teacher", pipeline, params) == f"Stage 9 of 21; at most {trainings} trainings after it"
        assert stage_line("train@baseline-0", pipeline, params) == "Stage 12 of 21; at most 1 training after it"
        assert stage_line("compare", pipeline, params) == "Stage 21 of 21"


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(StageError, match="has no stage 'tarin'"):
        declared_parameters(ROOT / "dvc.yaml", "tarin@candidate-0")


def test_only_its_teacher_ties_a_candidate_to_the_baseline() -> None:
    graph = Repo(str(ROOT)).index.graph
    by_name = {stage.name: stage for stage in graph}
    graph = graph.copy()
    graph.remove_node(by_name["teach-candidate@0"])
    sources = {stage.name for stage in nx.descendants(graph, by_name["evaluate@candidate-0"])}
    assert not any("baseline" in source for source in sources)
