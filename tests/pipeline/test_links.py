"""DVC's cache linked into the workspace (cache.type), which makes results read-only, and a read-only dataset.

No process here ignores permissions, as root's would.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.hardship import obey_permissions
from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(os.name == "nt", reason="links and permissions are other things on Windows"),
]


def set_writable(folder: Path, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IWUSR if writable else mode & ~0o222)


@pytest.fixture(params=["hardlink", pytest.param("symlink", marks=pytest.mark.slow)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    dataset = write_dataset(tmp_path / "shapes", train=8, val=4, test=4)
    (tmp_path / "workspace").mkdir()
    workspace = Workspace.create(tmp_path / "workspace", dataset, preexec=obey_permissions)
    workspace.dvc("config", "cache.type", request.param)
    set_writable(dataset, False)
    yield workspace
    set_writable(dataset, True)


def cached(workspace: Workspace) -> dict[str, bytes]:
    """Every file of DVC's cache. A result that was written through its link would change one."""
    folder = workspace.path / ".dvc/cache/files"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_link_into_the_cache(path: Path) -> bool:
    return path.is_symlink() or (path.stat().st_nlink > 1 and not path.stat().st_mode & 0o222)


def test_results_that_are_links_are_replaced_and_not_written_through(workspace: Workspace) -> None:
    """Only the first stages, which have both kinds of outputs: a file and a folder."""
    workspace.dvc("repro", "digits")
    for output in ("data/checked.txt", "data/raw/digits/data.yaml"):
        assert is_link_into_the_cache(workspace.path / output)
    before = cached(workspace)
    workspace.dvc("exp", "run", "-S", "digits.train=5", "digits")
    # By hand a stage finds its earlier outputs in place, which dvc would have removed.
    for stage in ("check", "digits"):
        workspace.run("env", f"DVC_STAGE={stage}", "python", "-m", f"stages.{stage}")
        assert "didn't change" in workspace.dvc("repro", "--single-item", stage).output
    after = cached(workspace)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


@pytest.mark.slow
def test_the_whole_pipeline_runs_with_links_and_a_read_only_dataset(workspace: Workspace) -> None:
    workspace.dvc("repro")
    best = workspace.path / "models/candidate/s0/best.pt"
    assert is_link_into_the_cache(best)
    before = cached(workspace)
    repeated = workspace.dvc("repro", "--force", "--single-item", "--no-run-cache", "compare")
    assert "MLflow:" not in repeated.output  # it copies read-only files, and then again over its copies
    assert f"Report:  {workspace.path / 'reports/index.html'}\n" in workspace.run("mobileyolo", "show").output
    models = list(workspace.path.glob("mlruns/models/*/artifacts/artifacts"))
    assert [[path.name for path in folder.iterdir()] for folder in models] == [["best.pt"]] * 2
    workspace.run("mobileyolo", "export", "--format", "onnx")
    assert (workspace.path / "exports/candidate-s0/best.onnx").is_file()
    workspace.dvc("exp", "run", "-S", "backbone=mnv1_s")
    assert json.loads(workspace.read("reports/comparison.json"))["candidate"]["backbone"] == "mnv1_s"
    after = cached(workspace)
    assert {name: after[name] for name in before} == before
