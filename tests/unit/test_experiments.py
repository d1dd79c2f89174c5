from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc import cli

from mobileyolo.core.errors import UserError
from mobileyolo.core.files import WEIGHTS_DIR
from mobileyolo.experiments import Experiment, Remote, own_weights


@pytest.mark.parametrize(
    ("backbone", "detector", "teacher", "copied"),
    [
        ("none", "none", "none", []),  # git has it
        ("imagenet", "mine.pt", "none", ["imagenet", "mine.pt"]),
        ("imagenet/yolo11n-cls.pt", "none", "mobilenetv1_100", ["imagenet", "mobilenetv1_100"]),
        ("imagenet", "none", "imagenet/yolo11n-cls.pt", ["imagenet"]),  # once
        ("/data/imagenet", "gone.pt", "none", []),
    ],
)
def test_an_experiment_beside_the_workspace_takes_the_users_weights_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str, detector: str, teacher: str, copied: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (WEIGHTS_DIR / "imagenet").mkdir(parents=True)
    for name in ("none", "mine.pt", "mobilenetv1_100", "imagenet/yolo11n-cls.pt"):
        (WEIGHTS_DIR / name).touch()
    params = {"init": {"backbone": backbone, "detector": detector, "teacher": teacher}}
    assert own_weights(params) == [WEIGHTS_DIR / name for name in copied]


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """A commit whose folder `kept` DVC has in its cache only."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("AUTHOR", "me"), ("COMMITTER", "me")):
        monkeypatch.setenv(f"GIT_{name}_NAME", value)
        monkeypatch.setenv(f"GIT_{name}_EMAIL", f"{value}@localhost")
    Path("results/kept").mkdir(parents=True)
    Path("results/kept/numbers.bin").write_bytes(b"\x00\xff")
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert cli.main(["init", "--quiet"]) == 0
    assert cli.main(["add", "--quiet", "results/kept"]) == 0
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "results"], check=True)
    shutil.rmtree("results/kept")
    return Experiment("wider", "HEAD", "HEAD")


def test_files_of_an_experiment_are_copied_below_a_folder_as_they_are(experiment: Experiment, tmp_path: Path) -> None:
    experiment.copy([Path("results/kept"), Path("results/kept.dvc")], tmp_path / "copy")
    assert (tmp_path / "copy/results/kept/numbers.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "copy/results/kept.dvc").is_file()


@pytest.mark.parametrize("path", ["results/kept", "results/gone"])
def test_what_is_not_in_the_cache_is_one_error_that_says_what_to_do(
    experiment: Experiment, tmp_path: Path, path: str
) -> None:
    shutil.rmtree(".dvc/cache")
    with pytest.raises(UserError, match=f"{path} of the experiment wider can't be read .*dvc fetch"):
        experiment.copy([Path(path)], tmp_path / "copy")


@pytest.fixture
def storage(experiment: Experiment, tmp_path: Path) -> Path:
    """The default remote of the experiment's workspace, with a setting that git does not have."""
    storage = tmp_path.with_name(f"{tmp_path.name}-storage")
    assert cli.main(["remote", "add", "--quiet", "--default", "team", f"../{storage.name}"]) == 0
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "remote"], check=True)
    assert cli.main(["remote", "modify", "--quiet", "--local", "team", "verify", "true"]) == 0
    return storage


def test_another_clone_reaches_the_remote_as_this_one_does(storage: Path, tmp_path: Path) -> None:
    clone = tmp_path / "deeper/clone"
    subprocess.run(["git", "clone", "--quiet", str(tmp_path), str(clone)], check=True)
    remote = Remote.default()
    assert remote.name == "team"
    remote.set_up(clone, tmp_path / "cache")
    folder = remote.folder(clone, "job")
    assert folder.names() == []
    (tmp_path / "sent.txt").write_text("sent")
    folder.upload(tmp_path / "sent.txt", "deep/sent.txt")
    assert (storage / "mobileyolo/job/deep/sent.txt").read_text() == "sent"
    folder.download("deep/sent.txt", tmp_path / "got/got.txt")
    assert (tmp_path / "got/got.txt").read_text() == "sent"
    folder.remove("deep/sent.txt")
    assert folder.names() == []
    assert "verify = true" in (clone / ".dvc/config.local").read_text().lower()


def test_results_that_only_the_remote_has_are_fetched(storage: Path, experiment: Experiment, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "push", "--quiet"], check=True)
    shutil.rmtree(".dvc/cache")
    experiment.fetch()
    shutil.rmtree(storage)
    experiment.copy([Path("results/kept")], tmp_path / "copy")
    assert (tmp_path / "copy/results/kept/numbers.bin").read_bytes() == b"\x00\xff"


def test_a_workspace_without_a_default_remote_is_one_error_that_says_how_to_add_one(experiment: Experiment) -> None:
    with pytest.raises(UserError, match=r"no remote specified in .*\s+dvc remote add -d"):
        Remote.default()
