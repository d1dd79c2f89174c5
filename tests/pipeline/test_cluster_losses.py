"""What a study on a cluster makes of lost nodes, of failures, and of its own end: the same results, and no rest."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.pipeline.nodes import PATIENCE, Site, opened, results, stages, trains, wait_until
from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

EPOCHS = 12
MINE = "data/weights/mine.pt"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=40, val=4, test=4)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Iterator[Site]:
    """One backbone from two starts, of which one is a file that is no checkpoint."""
    grid = {"backbones": ["mnv1_n"], "seeds": [0], "starts": ["none", "init.detector=mine.pt"]}
    changes: dict[str, Any] = {"study": grid, "train": {"epochs": EPOCHS}}
    with opened(tmp_path_factory.mktemp("site"), dataset, nodes=2, **changes) as site:
        (site.workspace.path / MINE).write_bytes(b"no checkpoint")
        yield site


@pytest.fixture(scope="module")
def stopped(site: Site) -> list[psutil.Process]:
    """What was left a while after Ctrl-C in the middle of the first training, once a checkpoint was on the remote."""
    study = site.start()
    wait_until(site.copies, study)
    assert stages()
    study.send_signal(signal.SIGINT)
    assert study.wait(120) == 130
    return stages()


@pytest.fixture(scope="module")
def killed(site: Site, stopped: list[psutil.Process]) -> list[str]:
    """Names of the checkpoints on the remote when the study was killed in the same training."""
    copied = {path.name for path in site.copies()}
    study = site.start()
    wait_until(lambda: {path.name for path in site.copies()} - copied, study)
    assert stages()
    study.kill()
    study.wait()
    wait_until(lambda: not stages())
    return [path.name for path in site.copies()]


@pytest.fixture(scope="module")
def lost(site: Site, killed: list[str]) -> str:
    """What the study said to its end, with a node that was lost in the candidate's training."""
    study = site.start()
    wait_until(lambda: any("candidate" in path.parent.name for path in site.copies()), study)
    wait_until(lambda: any(trains(each) for each in site.cluster.worker_nodes), study)
    (node,) = [each for each in site.cluster.worker_nodes if trains(each)]
    site.cluster.remove_node(node, allow_graceful=False)
    assert study.wait(PATIENCE) == 1  # for the trial that can't succeed
    return site.told.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def here(site: Site, lost: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same commit, studied by the engine `dvc` in a clone."""
    clone = Workspace(tmp_path_factory.mktemp("here") / "clone")
    site.workspace.run("git", "clone", "--quiet", str(site.workspace.path), str(clone.path))
    (clone.path / MINE).write_bytes(b"no checkpoint")
    clone.run("python", "-m", "mobileyolo", "study", check=False)
    return clone


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> tuple[str, str]:
    """What a study said, and the log of a job, which began while the only node had no git, until another one joined."""
    programs = tmp_path_factory.mktemp("programs")
    for name in ("bash", "sh"):  # which Ray needs
        (programs / name).symlink_to(f"/bin/{name}")
    grid = {"backbones": ["mnv1_n"], "seeds": [0]}
    with opened(tmp_path_factory.mktemp("helped"), dataset, nodes=0, study=grid) as site:
        site.cluster.add_node(num_cpus=1, env_vars={"PATH": str(programs)})
        study = site.start()
        wait_until(lambda: "can't begin it" in site.log("study-baseline"), study)
        site.cluster.add_node(num_cpus=1)
        assert study.wait(PATIENCE) == 0, site.told.read_text(encoding="utf-8")
        return site.told.read_text(encoding="utf-8"), site.log("study-baseline")


def test_what_a_node_cannot_begin_is_begun_on_one_that_joins(helped: tuple[str, str]) -> None:
    told, log = helped
    assert "'git'" in log.partition("can't begin it: ")[2].splitlines()[0]
    assert "1 of 1 trials done" in told


def test_ctrl_c_leaves_no_process_on_any_node(stopped: list[psutil.Process]) -> None:
    assert stopped == []


def test_what_a_stopped_study_has_trained_is_gone_on_with(site: Site, killed: list[str], lost: str) -> None:
    assert "baseline, seed 0: goes on after epoch" in site.log("study-baseline-yolo11n-64-s0")
    assert killed


def test_a_training_whose_node_was_lost_goes_on_elsewhere(site: Site, lost: str) -> None:
    assert "candidate, seed 0: goes on after epoch" in site.log("study-mnv1_n-64")


def test_results_are_those_of_the_engine_dvc(site: Site, lost: str, here: Workspace) -> None:
    expected = results(here)
    assert len(expected) == 4
    assert results(site.workspace) == expected


def test_a_trial_that_fails_by_itself_is_named_with_its_log_and_the_other_one_is_done(site: Site, lost: str) -> None:
    assert "1 of 2 trials done, 1 failed" in lost
    (failed,) = [line for line in lost.splitlines()[-2:] if "has failed" in line]
    log = (site.workspace.path / failed.rpartition("(log: ")[2].removesuffix(")")).read_text(encoding="utf-8")
    assert "has failed, see .mobileyolo/studies/study-baseline-" in log
    assert "mine.pt" in site.log("study-baseline-yolo11n-64-s0")
