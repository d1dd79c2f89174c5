"""The same commit, data and machine give the same bytes, in any clone, way and order of running it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

TIMED = ("reports/times/", "reports/validation")
LAST = "evaluate"  # what comes after it holds times, and is computed from what comes before


def _repro(workspace: Workspace) -> str:
    workspace.dvc("repro", LAST)
    return workspace.read("dvc.lock").decode()


def _candidate_first(workspace: Workspace) -> str:
    for arm in ("candidate", "baseline"):
        workspace.dvc("repro", f"evaluate@{arm}-0")
    return _repro(workspace)


def _exp_run(workspace: Workspace) -> str:
    workspace.dvc("exp", "run", "--name", "here", LAST)
    return _lock_of_experiment(workspace, "here")


def _exp_run_elsewhere(workspace: Workspace) -> str:
    workspace.dvc("exp", "run", "--temp", "--name", "elsewhere", LAST)
    return _lock_of_experiment(workspace, "elsewhere")


def _queue(workspace: Workspace) -> str:
    workspace.dvc("exp", "run", "--queue", "--name", "queued", LAST)
    workspace.dvc("queue", "start")
    workspace.finish_queue()
    workspace.dvc("queue", "stop", "--kill", check=False)
    return _lock_of_experiment(workspace, "queued")


def _lock_of_experiment(workspace: Workspace, name: str) -> str:
    refs = workspace.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").output.split()
    (ref,) = [ref for ref in refs if ref.endswith(f"/{name}")]
    return workspace.run("git", "show", f"{ref}:dvc.lock").output


WAYS: dict[str, Callable[[Workspace], str]] = {
    "dvc repro in another clone": _repro,
    "the candidate before the baseline": _candidate_first,
    "dvc exp run": _exp_run,
    "dvc exp run --temp": _exp_run_elsewhere,
    "dvc exp run --queue": _queue,
}


def digests(lock: str) -> dict[str, str]:
    """Hash of each output, by path; but of what says when it was: trainings' times, and validation's Data Docs."""
    stages = yaml.safe_load(lock)["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    return {path: digest for path, digest in outs.items() if not path.startswith(TIMED)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> dict[str, str]:
    """What a clone gives, each training of it for two epochs."""
    return digests(_repro(clone(tmp_path_factory.mktemp("first"), dataset)))


def clone(path: Path, dataset: Path) -> Workspace:
    """A workspace with an empty cache: nothing that was trained elsewhere can be taken from there."""
    workspace = Workspace.create(path, dataset)
    params = workspace.params()
    params["train"] |= {"epochs": 2, "mosaic": 1.0}
    (path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    workspace.run("git", "commit", "--quiet", "--all", "--message", "mosaic")
    return workspace


@pytest.mark.parametrize("way", WAYS)
def test_the_same_commit_gives_the_same_bytes(
    tmp_path: Path, dataset: Path, expected: dict[str, str], way: str
) -> None:
    found = digests(WAYS[way](clone(tmp_path, dataset)))
    assert {f"models/{arm}/s0/best.pt" for arm in ("baseline", "candidate")} <= expected.keys()
    assert found == expected
