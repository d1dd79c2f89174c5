"""What experiments.py and others rely on in DVC, joblib, timm and two engines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contracts.table import contract


def environment_of_a_command(**of_experiment: str) -> dict[str, str]:
    """The variables that DVC gives the command of a stage, and in an experiment the experiment's."""
    from dvc.stage.run import prepare_kwargs

    stage: Any = SimpleNamespace(
        wdir=".", addressing="train@candidate-0", repo=SimpleNamespace(root_dir="the workspace")
    )
    variables: dict[str, str] = prepare_kwargs(stage, run_env=of_experiment)["env"]
    return variables


@contract("DVC_STAGE")
def test_a_command_is_told_its_stage() -> None:
    assert environment_of_a_command()["DVC_STAGE"] == "train@candidate-0"


@contract("DVC_ROOT")
def test_a_command_is_told_the_users_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    import inspect

    from dvc import env
    from dvc.repo.experiments.queue import base

    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert environment_of_a_command()["DVC_ROOT"] == "the workspace"
    assert environment_of_a_command(DVC_ROOT="the user's own")["DVC_ROOT"] == "the user's own"
    assert env.DVC_ROOT == "DVC_ROOT"
    assert "run_env[DVC_ROOT] = self.repo.root_dir" in inspect.getsource(base)  # what a queued experiment is given


@contract("DVC_EXP_NAME")
def test_a_command_is_told_its_experiment() -> None:
    import inspect

    from dvc import env
    from dvc.repo.experiments.queue import base

    assert env.DVC_EXP_NAME == "DVC_EXP_NAME"
    assert "run_env[DVC_EXP_NAME] = name" in inspect.getsource(base)
    assert environment_of_a_command(DVC_EXP_NAME="an-experiment")["DVC_EXP_NAME"] == "an-experiment"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, of git and of DVC, with a default remote in a folder beside it."""
    from dvc.repo import Repo

    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "me")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "me@localhost")
    folder = tmp_path / "repository"
    (folder / "kept").mkdir(parents=True)
    (folder / "kept/file").write_text("content")
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "--quiet"], check=True)
    with Repo.init() as repo:
        repo.add("kept")
        with repo.config.edit() as settings:
            settings["remote"]["team"] = {"url": str(tmp_path / "storage")}
            settings["core"]["remote"] = "team"
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "start"], check=True)
    return folder


@contract("cloud.get_remote")
def test_a_repository_gives_its_default_remote_and_access_to_it(repository: Path, tmp_path: Path) -> None:
    from dvc.repo import Repo

    with Repo() as repo:
        remote = repo.cloud.get_remote()
    assert (remote.name, remote.path) == ("team", str(tmp_path / "storage"))
    target = remote.fs.join(remote.path, "folder", "file")
    remote.fs.makedirs(remote.fs.parent(target), exist_ok=True)
    remote.fs.put_file("kept/file", target)
    assert list(remote.fs.find(remote.path)) == [target]
    assert remote.fs.as_posix(remote.fs.relpath(target, remote.path)) == "folder/file"
    remote.fs.get_file(target, "got")
    assert Path("got").read_text() == "content"
    remote.fs.rm_file(target)
    assert not remote.fs.exists(target)
    remote.fs.rm(remote.fs.parent(target), recursive=True)
    assert not remote.fs.exists(remote.fs.parent(target))


@contract("config.edit")
def test_settings_of_all_levels_are_read_together_and_one_level_is_written(repository: Path, tmp_path: Path) -> None:
    from dvc.repo import Repo

    with Repo() as repo, repo.config.edit("local") as settings:
        settings["remote"]["team"] = {"verify": True}
    with Repo() as repo:
        assert repo.config["remote"]["team"]["url"] == str(tmp_path / "storage")
        assert repo.config["remote"]["team"]["verify"] is True
    assert "storage" not in Path(".dvc/config.local").read_text()


@contract("repo.fetch")
def test_what_a_commit_holds_is_fetched_from_the_remote_that_is_named(repository: Path, tmp_path: Path) -> None:
    from dvc.repo import Repo

    with Repo() as repo:
        repo.push()
    (tmp_path / "storage").rename(tmp_path / "moved")
    shutil.rmtree(".dvc/cache")
    with Repo() as repo:
        named = {"core": {"remote": "team"}, "remote": {"team": {"url": str(tmp_path / "moved")}}}
        assert repo.fetch(revs=["HEAD"], workspace=False, config=named) == 2  # the folder and its file


def process_id() -> int:
    """Of the process that calls it."""
    return os.getpid()


@contract("get_reusable_executor")
def test_joblibs_processes_end_with_its_executor() -> None:
    import psutil
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    (worker, _) = Parallel(2, prefer="processes", batch_size=1)(delayed(process_id)() for _ in range(2))
    process = psutil.Process(worker)
    assert worker != os.getpid()
    get_reusable_executor(reuse=True).shutdown()
    _, alive = psutil.wait_procs([process], timeout=30)
    assert alive == []


@contract("conv_stem")
def test_timm_names_its_mobilenets_tensors_like_this() -> None:
    import timm
    import torch

    from mobileyolo.models.imagenet import convert
    from mobileyolo.models.mobilenet_v1 import MobileNetV1

    with torch.device("meta"):
        weights = timm.create_model("mobilenetv1_100", pretrained=False).state_dict()
    weights = {name: torch.ones(tensor.shape) for name, tensor in weights.items()}
    network = MobileNetV1(1.0)
    converted = convert(weights, network)
    assert converted.keys() == network.state_dict().keys()


ENGINES = """
import sys
sys.modules["openvino_telemetry"] = None
import openvino.tools.ovc
print(type(openvino.tools.ovc.telemetry).__module__)
"""


@contract("openvino_telemetry")
def test_openvino_works_without_its_telemetry_package(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    told = subprocess.run([sys.executable, "-c", ENGINES], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert told.stdout.split() == ["openvino.tools.ovc.telemetry_stub"]


@contract("ORT_DISABLE_TELEMETRY")
def test_onnx_runtime_leaves_no_identifier_in_the_home(tmp_path: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in {"CI", "XDG_CACHE_HOME"}}
    variables |= {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA")}
    variables["ORT_DISABLE_TELEMETRY"] = "1"
    subprocess.run([sys.executable, "-c", "import onnxruntime"], env=variables, check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
