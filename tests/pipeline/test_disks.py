"""A full disk and read-only folders: each stage ends with one sentence, leaves nothing half-written, and runs again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from tests.pipeline.hardship import full, needs_root, read_only, small_disk
from tests.pipeline.workspace import Result, Workspace
from tests.synthetic import write_dataset

pytestmark = [pytest.mark.pipeline, needs_root]

# Those that need no other stage's results; then all others, with what dvc.yaml has behind the stage's name.
FIRST = {"check": "", "digits": "", "fetch@detector": "detector"}
OTHERS = {
    "validate": "",
    "build@candidate": "candidate",
    "teach-candidate@0": "candidate",
    "train@candidate-0": "candidate",
    "evaluate@candidate-0": "candidate",
    "history": "",
    "latency": "",
    "cost": "",
    "compare": "",
}
AGAIN = "then give the same command again"
# What is said; of a full disk the system often does not tell which file it was.
SAID = {
    "full": f"no space is left on this disk; free some, {AGAIN}",
    "read-only": f": this disk or folder is read-only; make it writable, {AGAIN}",
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("disk"), megabytes=400) as disk:
        yield disk


@pytest.fixture(scope="module")
def workspace(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """On the disk; the dataset lies elsewhere."""
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    (disk / "workspace").mkdir()
    return Workspace.create(disk / "workspace", dataset)


@pytest.fixture(scope="module")
def finished(workspace: Workspace) -> Workspace:
    workspace.dvc("repro")
    return workspace


def outputs_of(workspace: Workspace, stage: str) -> list[Path]:
    """What dvc.lock lists as a stage's outputs, by their paths from the stage's wdir."""
    lock, pipeline = (yaml.safe_load(workspace.read(name))["stages"] for name in ("dvc.lock", "dvc.yaml"))
    entry = pipeline[stage.partition("@")[0]]
    folder = workspace.path / entry.get("do", entry).get("wdir", ".")
    return [(folder / out["path"]).resolve() for out in lock[stage]["outs"]]


def contents(paths: list[Path]) -> dict[Path, bytes]:
    files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    return {file: file.read_bytes() for file in files if "docs" not in file.parts}  # Data Docs have a date


def hardship(kind: str, workspace: Workspace) -> AbstractContextManager[None]:
    if kind == "full":
        return full(workspace.path.parent)
    return read_only(workspace.path / name for name in ("data", "models", "reports"))


def run_as_dvc_does(kind: str, workspace: Workspace, stage: str, argument: str, outputs: list[Path]) -> Result:
    """Run a stage as DVC does: after it has removed the outputs. DVC itself would stop before that."""
    for path in outputs:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    module = stage.partition("@")[0].partition("-")[0]
    words = [f"DVC_STAGE={stage}", "python", "-m", f"stages.{module}", *argument.split()]
    with hardship(kind, workspace):
        return workspace.run("env", *words, check=False)


def check_stage(kind: str, workspace: Workspace, stage: str, argument: str) -> None:
    workspace.dvc("repro", stage)  # also what an earlier test that failed has left out
    outputs = outputs_of(workspace, stage)
    whole = contents(outputs)
    failed = run_as_dvc_does(kind, workspace, stage, argument, outputs)
    assert failed.code == 1, failed.output
    errors = [line for line in failed.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, failed.output
    assert errors[0].endswith(SAID[kind])
    assert "Traceback" not in failed.output
    if kind == "read-only":
        named = workspace.path / errors[0].removeprefix("error: ").removesuffix(SAID[kind])
        assert any(path.is_relative_to(named) or named.is_relative_to(path) for path in outputs), errors
    assert contents(outputs).items() <= whole.items()
    assert not [path for path in (workspace.path / "models").rglob(".*") if path.name != ".gitignore"]
    again = workspace.dvc("repro", "--force", "--single-item", "--no-run-cache", stage)
    assert again.ran(stage)
    assert contents(outputs).keys() == whole.keys()


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("stage", FIRST)
def test_a_stage_that_can_not_write_ends_with_one_sentence_and_runs_again(
    workspace: Workspace, stage: str, kind: str
) -> None:
    check_stage(kind, workspace, stage, FIRST[stage])


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("stage", OTHERS)
def test_so_does_every_other_stage(finished: Workspace, stage: str, kind: str) -> None:
    check_stage(kind, finished, stage, OTHERS[stage])


def test_whatever_dvc_leaves_on_a_full_disk_it_goes_on_with_space_after_the_doctor(workspace: Workspace) -> None:
    with full(workspace.path.parent):
        assert workspace.dvc("repro", "digits", "--force", check=False).code
    workspace.run("python", "-m", "mobileyolo", "doctor", "--fix")
    workspace.dvc("repro", "digits")
    assert (workspace.path / "data/raw/digits/data.yaml").is_file()
