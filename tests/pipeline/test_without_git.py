"""A ZIP of the repository, as GitHub offers it: the same files outside git."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = pytest.mark.pipeline

WITHOUT_GIT = ("dvc", "config", "--local", "core.no_scm", "true")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    dataset = write_dataset(tmp_path / "shapes", train=8, val=4, test=4)
    (tmp_path / "workspace").mkdir()
    return Workspace.create(tmp_path / "workspace", dataset, in_git=False)


def test_one_sentence_says_what_to_do_and_both_ways_work(workspace: Workspace) -> None:
    refused = workspace.dvc("repro", "check", check=False)  # in DVC's words, before anything of ours runs
    assert (refused.code != 0, f"{workspace.path} is not a git repository" in refused.output) == (True, True)
    for command in (("python", "-m", "stages.check"), ("mobileyolo", "doctor")):  # `make repro` begins with the first
        told = workspace.run(*command, check=False)
        said = " ".join(told.output.split())
        assert told.code == 1
        assert "not a git repository, so DVC refuses to run" in said
        for way in ("`git init`, `git add --all`", "without DVC's experiments", f"`{' '.join(WITHOUT_GIT)}`"):
            assert way in said
    workspace.run(*WITHOUT_GIT)
    for command in (("python", "-m", "stages.check"), ("mobileyolo", "doctor"), ("dvc", "repro", "check")):
        workspace.run(*command)
    (workspace.path / ".dvc/config.local").unlink()
    workspace.commit_all()
    assert workspace.dvc("exp", "run", "-S", "seeds=[3]", "check").ran("check")


def test_a_folder_in_somebody_elses_git_repository_is_none_of_these(workspace: Workspace) -> None:
    """DVC takes that repository for its own."""
    workspace.run("git", "init", "--quiet", str(workspace.path.parent))
    workspace.run("python", "-m", "stages.check")
    workspace.run("mobileyolo", "doctor")
    assert workspace.dvc("repro", "check").ran("check")


@pytest.mark.slow
def test_the_whole_pipeline_runs_without_git(workspace: Workspace) -> None:
    workspace.run(*WITHOUT_GIT)
    told = workspace.dvc("repro")
    assert "backbone: mnv1_s in params.yaml, then dvc repro" in told.output
    assert "dvc exp" not in told.output
    assert "git add" not in told.output
    assert "didn't change" in workspace.dvc("repro", "compare").output
    assert [run.data.tags["git.commit"] for run in workspace.runs()] == ["", ""]
    for command in (("mobileyolo", "show"), ("mobileyolo", "log"), ("mobileyolo", "doctor")):
        workspace.run(*command)
    refused = workspace.run("mobileyolo", "confirm", check=False)
    assert (refused.code, len(refused.output.splitlines())) == (1, 1)
    assert "DVC keeps experiments in git only: `git init`" in refused.output
    params = workspace.path / "params.yaml"
    written = params.read_text(encoding="utf-8")
    params.write_text(written.replace("backbone: mnv1_n", "backbone: mnv1_s"), encoding="utf-8")
    again = workspace.dvc("repro")
    assert (again.ran("train@candidate-0"), again.ran("train@baseline-0")) == (True, False)
