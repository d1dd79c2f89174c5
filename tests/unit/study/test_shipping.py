from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from mobileyolo.core.errors import UserError
from mobileyolo.study.shipping import (
    COMMIT,
    check_committed,
    data_files,
    keeps,
    pack,
    pack_experiment,
    prefix,
    take_experiment,
    unpack,
)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace in a folder of its git repository, which is the working directory."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "me")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "me@localhost")
    workspace = tmp_path / "repository/inner"
    for name in ("src/package/code.py", "stages/train.py", "data/mine.dvc", "params.yaml"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("first\n")
    git(tmp_path, "init", "--quiet", "repository")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "first")
    monkeypatch.chdir(workspace)
    return workspace


@pytest.fixture
def clone(workspace: Path, tmp_path: Path) -> Path:
    """What a node makes of the archive."""
    pack(tmp_path / "commit.zip")
    with zipfile.ZipFile(tmp_path / "commit.zip") as archive:
        archive.extractall(tmp_path / "node")
    unpack(tmp_path / "node" / COMMIT, tmp_path / "clone")
    return tmp_path / "clone"


def test_a_node_gets_the_package_as_it_is_imported_and_the_commit_itself(workspace: Path, clone: Path) -> None:
    assert (clone.parent / "node/package/code.py").read_text() == "first\n"
    assert (clone / prefix() / "stages/train.py").read_text() == "first\n"
    assert git(clone, "rev-parse", "HEAD") == git(workspace, "rev-parse", "HEAD")


def test_what_is_not_committed_does_not_reach_a_node(workspace: Path, tmp_path: Path) -> None:
    (workspace / "params.yaml").write_text("second\n")
    check_committed()  # a trial sets all values of this file
    pack(tmp_path / "commit.zip")
    with zipfile.ZipFile(tmp_path / "commit.zip") as archive:
        assert sorted(name for name in archive.namelist() if not name.endswith("/")) == [COMMIT, "package/code.py"]


def test_a_commit_gives_the_same_archive_at_any_time(workspace: Path, tmp_path: Path) -> None:
    """Ray knows an archive by its bytes, and nodes keep caches beside what they have unpacked of it."""
    (first, second) = (tmp_path / "first.zip", tmp_path / "second.zip")
    pack(first)
    pack(second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.extra for entry in archive.infolist()} == {b""}


@pytest.mark.parametrize("name", ["src/package/code.py", "stages/new.py", "data/mine.dvc"])
def test_code_and_data_that_are_not_committed_are_refused_by_name(workspace: Path, name: str) -> None:
    (workspace / name).write_text("second\n")
    with pytest.raises(UserError, match=rf"these files are not committed: (inner/)?{name}; commit them"):
        check_committed()


def test_data_of_git_and_of_dvc_reach_each_clone_and_other_data_do_not(workspace: Path, clone: Path) -> None:
    assert keeps(Path("stages"))
    assert keeps(Path("data/mine"))
    assert keeps(Path("data/mine/train"))
    assert not keeps(Path("data/other"))
    assert data_files(clone / prefix()) == ["data/mine.dvc"]


def test_a_dataset_may_have_a_name_in_any_script(workspace: Path) -> None:
    (workspace / "data/安全帽.dvc").write_text("first\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"not committed: .*data/安全帽\.dvc; commit"):
        check_committed()
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "helmets")
    assert data_files(workspace) == ["data/mine.dvc", "data/安全帽.dvc"]


def test_an_experiment_of_a_clone_becomes_one_of_the_workspace(workspace: Path, clone: Path) -> None:
    head = git(workspace, "rev-parse", "HEAD")
    for message in ("first run", "second run"):  # the second takes the place of the first
        made = git(clone, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", message)
        git(clone, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/study-mnv1_n", made)
        take_experiment(pack_experiment(clone, "study-mnv1_n"))
        listed = git(workspace, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
        assert listed == f"refs/exps/{head[:2]}/{head[2:]}/study-mnv1_n {made}"
