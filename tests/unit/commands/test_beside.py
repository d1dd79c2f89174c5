from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from mobileyolo.commands.beside import beside
from mobileyolo.core.files import COMPARISON_FILE, METRICS_FILE
from mobileyolo.verdict.records import Headline
from tests.synthetic_comparison import make_comparison

COMPARISON = make_comparison(seeds=3)  # measured on 2026-01-02 at 04:00 UTC
BEFORE, AFTER = "2026-01-02T03:00:00Z", "2026-01-02T05:00:00Z"


@pytest.fixture(params=[".", "below/it"])
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A git repository, or a folder in one, with the comparison."""
    folder: Path = tmp_path / request.param
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    git("init", "--quiet", str(tmp_path))
    git("commit", "--quiet", "--allow-empty", "--message", "start")
    COMPARISON.write(COMPARISON_FILE)
    return folder


def git(*arguments: str, at: str = BEFORE) -> str:
    identity = {f"GIT_{who}_{what}": "a@b.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    variables = {**os.environ, **identity, "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at}
    return subprocess.run(["git", *arguments], env=variables, capture_output=True, text=True, check=True).stdout.strip()


def add(name: str, at: str, lock: str = "", metrics: str | None = None) -> None:
    """Keep an experiment as DVC does: a commit that no branch has."""
    head = git("rev-parse", "HEAD")
    Path("dvc.lock").write_text(lock or f"of {name}", encoding="utf-8")
    METRICS_FILE.write_text(metrics or Headline.of(COMPARISON).model_dump_json(), encoding="utf-8")
    git("add", "dvc.lock", METRICS_FILE.as_posix())
    commit = git("commit-tree", "-p", head, "-m", name, git("write-tree"), at=at)
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)


def lock_of_the_comparison() -> str:
    digest = hashlib.md5(COMPARISON_FILE.read_bytes(), usedforsecurity=False).hexdigest()
    return f"outs:\n- path: reports/comparison.json\n  hash: md5\n  md5: {digest}\n  size: 1\n"


def test_outside_git_and_without_experiments_there_is_nothing_to_say(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beside(COMPARISON) == ""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    COMPARISON.write(COMPARISON_FILE)
    assert beside(COMPARISON) == ""


def test_experiments_that_ended_after_it_was_measured_are_newer(workspace: Path) -> None:
    add("older", BEFORE)
    add("wider", AFTER)
    assert beside(COMPARISON).splitlines() == [
        "Newer experiments; `dvc exp apply NAME` takes one over:",
        "  wider  worse: -0.124 (-0.190 to -0.060) mAP50-95",
    ]


def test_of_many_the_last_five_are_named(workspace: Path) -> None:
    for minute in range(8):
        add(f"trial-{minute}", f"2026-01-02T05:0{minute}:00Z")
    _, *lines, rest = beside(COMPARISON).splitlines()
    assert [line.split()[0] for line in lines] == [f"trial-{minute}" for minute in (7, 6, 5, 4, 3)]
    assert rest == "  and 3 more: dvc exp show"


def test_the_experiment_that_the_workspace_shows_is_named_and_not_newer_than_itself(workspace: Path) -> None:
    add("before", "2026-01-02T04:30:00Z")
    add("shown", AFTER, lock_of_the_comparison())
    assert beside(COMPARISON) == "This comparison is of the experiment shown."
    add("after", "2026-01-02T06:00:00Z")
    said = beside(COMPARISON)
    assert "experiment shown.\nNewer" in said
    assert "  after" in said
    assert "before" not in said


def test_one_that_says_nothing_readable_is_named_alone(workspace: Path) -> None:
    add("old-format", AFTER, metrics="{}")
    provisional = Headline.of(make_comparison(seeds=1))
    add("one-seed", AFTER, metrics=provisional.model_dump_json())
    lines = beside(COMPARISON).splitlines()[1:]
    assert sorted(lines) == ["  old-format", "  one-seed    worse, provisional: -0.124 (-0.190 to -0.060) mAP50-95"]


def test_those_of_another_commit_are_left_out(workspace: Path) -> None:
    add("wider", AFTER)
    git("commit", "--quiet", "--allow-empty", "--message", "next")
    assert beside(COMPARISON) == ""


def test_what_dvc_keeps_beside_the_experiments_is_none(workspace: Path) -> None:
    for name in ("stash", "exec/EXEC_APPLY", "celery/failed"):
        git("update-ref", f"refs/exps/{name}", git("rev-parse", "HEAD"))
    assert beside(COMPARISON) == ""
