"""`mobileyolo study --engine ray`: two trials on two nodes, whose results come back through a DVC remote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipeline.nodes import Site, opened
from tests.pipeline.workspace import Result
from tests.synthetic import write_dataset

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    grid = {"backbones": ["mnv1_n", "mnv1_s"], "seeds": [0]}
    with opened(tmp_path_factory.mktemp("site"), dataset, nodes=2, study=grid) as site:
        yield site


@pytest.fixture(scope="module")
def done(site: Site) -> Result:
    return site.study()


def test_both_trials_are_done_and_what_they_found_is_told_as_by_the_other_engine(site: Site, done: Result) -> None:
    assert done.code == 0, done.output
    assert "2 of 2 trials done" in done.output
    found = [line.split()[0] for line in done.output.splitlines() if line.endswith(" M")]
    assert found == ["yolo11n", "mnv1_n", "mnv1_s"]
    assert (site.workspace.path / "reports/study/index.html").is_file()
    assert site.workspace.run("git", "status", "--porcelain").output == ""


def test_what_the_trials_share_is_trained_once_before_both(site: Site, done: Result) -> None:
    assert site.log("study-baseline-yolo11n-64-s0").count("Running stage 'train@baseline-0'") == 1
    for trial in ("study-mnv1_n-64", "study-mnv1_s-64"):
        assert "Running stage 'train@candidate-0'" in site.log(trial)
        assert "Running stage 'train@baseline-0'" not in site.log(trial)
        assert "Running stage 'evaluate@baseline-0'" not in site.log(trial)


def test_a_log_does_not_list_what_a_fresh_clone_lacks(site: Site, done: Result) -> None:
    assert "No file hash" not in site.log("study-")


def test_a_trial_is_an_experiment_of_this_workspace_with_its_files(site: Site, done: Result) -> None:
    names = site.workspace.dvc("exp", "list", "--name-only").output.split()
    assert sorted(name[:12] for name in names) == ["study-mnv1_n", "study-mnv1_s"]
    site.workspace.dvc("remote", "remove", "team")  # the files are here
    site.workspace.dvc("exp", "apply", names[0])
    assert (site.workspace.path / "models/candidate/s0/best.pt").is_file()
    site.workspace.run("git", "checkout", "--quiet", ".")


def test_the_server_has_each_model_once(site: Site, done: Result) -> None:
    runs = site.workspace.runs(site.services.address)
    models = [run.data.params["backbone"] for run in runs if run.info.status == "FINISHED" and run.data.params]
    assert sorted(models) == ["mnv1_n", "mnv1_s", "yolo11n"]


def test_the_remote_keeps_no_checkpoint_of_a_trial_that_is_done(site: Site, done: Result) -> None:
    assert site.copies() == []


def test_nothing_is_run_again(site: Site, done: Result) -> None:
    again = site.study()
    assert again.code == 0, again.output
    assert "begins" not in again.output
    assert "mnv1_s" in again.output
