"""What `dvc repro` says of a data.dir that holds no dataset."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from mobileyolo.core.quoting import option
from tests.foreign import write_voc
from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = pytest.mark.pipeline


def test_our_sentence_comes_before_an_errno_of_dvc(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    missing, voc = tmp_path / "helmets", write_voc(tmp_path / "voc")
    workspace = Workspace.create(tmp_path / "workspace", missing)
    said = workspace.dvc("repro", check=False)
    assert said.code != 0
    assert f"error: {missing}: no such folder; data.dir has to name the folder of a YOLO dataset" in said.output
    assert "missing data" not in said.output
    assert not said.ran("digits")

    point(workspace, voc.as_posix())
    said = workspace.dvc("repro", check=False)
    assert f"mobileyolo import voc {voc} {voc}-yolo" in said.output
    assert not said.ran("digits")


def test_a_printed_option_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / """安全帽 (1), [a]={b} #c $HOME ${x} 20% %20 & 'd' "e" `f`!; \\g""")
    workspace = Workspace.create(tmp_path / "workspace", tmp_path / "helmets")
    said = workspace.run("bash", "-c", f"dvc exp run {option('data.dir', dataset.as_posix())} validate")
    assert said.ran("validate")
    assert workspace.params()["data"]["dir"] == dataset.as_posix()
    (dataset / "train/labels/000.txt").write_text("", encoding="utf-8")
    assert workspace.dvc("repro", "validate").ran("validate")  # DVC watches the folder under that name
    assert not workspace.dvc("repro", "validate").ran("validate")


def test_a_folder_that_dvc_makes_later_is_not_missed(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path, tmp_path / "missing")
    point(workspace, "data/raw/digits")
    assert workspace.dvc("repro", "check").ran("check")
    (workspace.path / "data/mine.dvc").touch()  # of `dvc add data/mine`, before its content is checked out
    point(workspace, "data/mine")
    assert workspace.run("python", "-m", "stages.check").code == 0


def test_a_dvcignore_in_the_dataset_ends_with_our_sentence(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    dataset = write_dataset(tmp_path / "dataset")
    (dataset / ".dvcignore").write_text("*.png\n", encoding="utf-8")
    said = Workspace.create(tmp_path / "workspace", dataset).dvc("repro", check=False)
    assert said.code != 0
    assert f"error: {dataset / '.dvcignore'}: with this file in data.dir, DVC can't watch the dataset" in said.output
    assert "should not be in collected dir path" not in said.output
    assert not said.ran("digits")


@pytest.mark.parametrize("place", [pytest.param("inside", marks=pytest.mark.slow), "outside"])
def test_a_dataset_that_is_a_repository_with_rules_for_git_is_watched(tmp_path: Path, place: str) -> None:
    (tmp_path / "workspace").mkdir()
    data_dir = "data/mine" if place == "inside" else (tmp_path / "other/mine").as_posix()
    workspace = Workspace.create(tmp_path / "workspace", Path(data_dir))
    dataset = write_dataset(workspace.path / data_dir)
    (dataset / ".gitignore").write_text("*.png\n*.txt\n", encoding="utf-8")
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):  # in the dataset, or around it
        subprocess.run(command, cwd=dataset if place == "inside" else dataset.parent, check=True)
    (dataset / ".dvcignore").unlink(missing_ok=True)
    assert workspace.dvc("exp", "run", "validate").ran("validate")
    assert not workspace.dvc("repro", "validate").ran("validate")
    (dataset / "train/labels/000.txt").write_text("", encoding="utf-8")
    assert workspace.dvc("exp", "run", "validate").ran("validate")
    assert "mine" not in workspace.run("git", "status", "--short").output


def point(workspace: Workspace, data_dir: str) -> None:
    """Set data.dir."""
    params = workspace.params()
    params["data"]["dir"] = data_dir
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
