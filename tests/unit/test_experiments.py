from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from dvc import cli

from mobileyolo.core.errors import UserError
from mobileyolo.core.files import WEIGHTS_DIR
from mobileyolo.experiments import Experiment, own_weights


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
