"""`mobileyolo study`: two trials, of which one fails, is mended, and is gone on with; and a study of two recipes."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time

import psutil
import pytest
import yaml

from tests.pipeline.workspace import Result, Workspace
from tests.synthetic import write_dataset

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

STUDY = ("python", "-m", "mobileyolo", "study")
PAGE = "reports/study/index.html"
# What each trial keeps beside its comparison, told in a line: its seeds, and its images.
EVIDENCE = """
from mobileyolo.core.config import load_params
from mobileyolo.study.engines import DvcEngine
from mobileyolo.study.parameters import StudyOptions
from mobileyolo.study.trials import trials_of

values = load_params().values
engine = DvcEngine(values)
trials = trials_of(StudyOptions.model_validate(values["study"]), values)
for each in engine.evidence(engine.results([trial.name for trial in trials]), statistics=True).values():
    print("evidence", len(each.candidate.statistics), len(each.candidate.scenes))
"""
MINE = "data/weights/mine.pt"
RECIPES: list[dict[str, object]] = [{"lr0": 1e-6}, {"lr0": 0.01}]
# What each trial reached on val, and whose models are compared where the arms choose different recipes.
CHOICE = """
import json
from mobileyolo.core.config import load_params
from mobileyolo.study.engines import DvcEngine
from mobileyolo.study.parameters import StudyOptions
from mobileyolo.study.trials import trials_of

values = load_params().values
engine = DvcEngine(values)
trials = trials_of(StudyOptions.model_validate(values["study"]), values)
results = engine.results([trial.name for trial in trials])
across = engine.across(trials[0], trials[1])
told = {"val": {}, "digests": {}, "across": {}}
for arm in ("baseline", "candidate"):
    own = [getattr(results[trial.name], arm) for trial in trials]
    told["val"][arm] = [each.val_map50_95 for each in own]
    told["digests"][arm] = [each.weights_digests for each in own]
    told["across"][arm] = getattr(across, arm).weights_digests
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One backbone from two starts, of which one is a file that is no checkpoint."""
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)
    workspace = Workspace.create(tmp_path_factory.mktemp("workspace"), dataset)
    params = workspace.params()
    params["study"] |= {"backbones": ["mnv1_n"], "seeds": [0], "starts": ["init.detector=mine.pt", "none"]}
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    workspace.run("git", "commit", "--quiet", "--all", "--message", "study")
    (workspace.path / MINE).write_bytes(b"no checkpoint")
    return workspace


@pytest.fixture(scope="module")
def killed(workspace: Workspace) -> list[psutil.Process]:
    """All that a study has started, after it was killed in its first training."""
    study = workspace.start(*STUDY)
    while not [*workspace.path.glob(".mobileyolo/trainings/*/holder.json")]:
        assert study.poll() is None
        time.sleep(0.1)
    started = psutil.Process(study.pid).children(recursive=True)
    study.kill()
    study.wait()
    return started


@pytest.fixture(scope="module")
def first(workspace: Workspace, killed: list[psutil.Process]) -> Result:
    return workspace.run(*STUDY, check=False)


@pytest.fixture(scope="module")
def second(workspace: Workspace, first: Result) -> Result:
    """After the weights were replaced by real ones: those that the other trial has trained."""
    (trained,) = {*workspace.path.glob(".mobileyolo/trainings/candidate-*/finished/best.pt")}
    shutil.copyfile(trained, workspace.path / MINE)
    return workspace.run(*STUDY)


def experiments(workspace: Workspace) -> list[str]:
    return workspace.dvc("exp", "list", "--name-only").output.split()


def test_a_dry_run_lists_the_trials_and_runs_none(workspace: Workspace) -> None:
    told = workspace.run(*STUDY, "--dry-run").output
    assert "2 of 2 trials are to be run, with 4 trainings" in told
    assert "Time of the trainings: unknown" in told
    assert experiments(workspace) == []


def test_nothing_runs_on_after_a_kill(killed: list[psutil.Process]) -> None:
    assert len(killed) > 1  # dvc, and the stage
    _, alive = psutil.wait_procs(killed, timeout=60)
    assert alive == []


def test_a_trial_that_fails_stops_no_other_one_and_its_log_is_named(workspace: Workspace, first: Result) -> None:
    assert first.code == 1
    assert "error: 1 of 2 trials failed; the same command tries them again" in first.output
    (failed,) = [line for line in first.output.splitlines()[-2:] if "has failed" in line]
    log = workspace.path / failed.rpartition("(log: ")[2].removesuffix(")")
    assert "mine.pt" in log.read_text(encoding="utf-8")
    assert len(experiments(workspace)) == 1


def test_what_was_found_is_a_table_and_the_workspace_stays_as_it_was(workspace: Workspace, first: Result) -> None:
    (row,) = [line.split() for line in first.output.splitlines() if line.startswith("mnv1_n ")]
    assert row[1] == "64"  # pixels
    assert "1 of 2 trials done, 1 failed" in first.output
    assert workspace.run("git", "status", "--porcelain").output == ""
    assert not (workspace.path / "reports/comparison.json").exists()


def test_the_same_command_goes_on_with_what_is_missing_only(workspace: Workspace, second: Result) -> None:
    assert second.output.count(" begins; its log: ") == 1
    assert "2 of 2 trials done" in second.output
    assert len(experiments(workspace)) == 2
    # The kill may have left a run of a training that did not finish.
    models = [run for run in workspace.runs() if run.data.params and run.info.status == "FINISHED"]
    trained = [(run.data.params["backbone"], run.data.tags["dvc.exp"]) for run in models]
    assert len(trained) == len(set(trained)) == 4


def test_the_page_has_all_trials_and_recommends_nothing_on_one_seed(workspace: Workspace, second: Result) -> None:
    assert str(workspace.path / PAGE) in second.output
    page = (workspace.path / PAGE).read_text(encoding="utf-8")
    assert all(name in page for name in experiments(workspace))
    assert "No model can be recommended: one seed" in page
    assert len((workspace.path / "reports/study/study.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4
    assert workspace.run("git", "status", "--porcelain").output == ""


def test_the_statistics_of_each_trial_are_at_hand(workspace: Workspace, second: Result) -> None:
    told = [line.split() for line in workspace.run("python", "-c", EVIDENCE).output.splitlines()]
    assert [line[1:] for line in told if line[0] == "evidence"] == [["1", "4"]] * 2  # one seed, four test images


def test_the_trials_runs_are_children_of_the_studys(workspace: Workspace, second: Result) -> None:
    (study,) = [run for run in workspace.runs() if "study.name" in run.data.tags]
    assert study.info.status == "FINISHED"  # it goes on after the kill and the failure
    assert "| mnv1_n | 64 |" in study.data.tags["mlflow.note.content"]
    children = [run for run in workspace.runs() if run.data.tags.get("mlflow.parentRunId") == study.info.run_id]
    assert {run.data.tags["weights.digest"] for run in children if run.info.status == "FINISHED"} == {
        run.data.tags["weights.digest"] for run in workspace.runs() if "weights.digest" in run.data.tags
    }


def test_a_study_that_is_done_only_prints_what_it_found(workspace: Workspace, second: Result) -> None:
    again = workspace.run(*STUDY)
    assert "begins" not in again.output
    assert [line for line in second.output.splitlines() if line.startswith(("mnv1_n", "yolo11n"))] == [
        line for line in again.output.splitlines() if line.startswith(("mnv1_n", "yolo11n"))
    ]
    assert "0 of 2 trials are to be run" in workspace.run(*STUDY, "--dry-run").output


def test_the_grid_makes_no_stage_run_again(workspace: Workspace, second: Result) -> None:
    """All that the trials share with the workspace comes from the run-cache, whatever the grid says."""
    params = workspace.params()
    params["study"]["backbones"] = ["mnv1_m"]
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    told = workspace.dvc("repro", "train@baseline-0", "train@candidate-0")
    assert not told.ran("train@baseline-0")
    assert not told.ran("train@candidate-0")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One backbone, and two recipes of which one learns nothing."""
    dataset = write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=16, val=8, test=4)
    workspace = Workspace.create(tmp_path_factory.mktemp("recipes"), dataset)
    params = workspace.params()
    params["study"] |= {"backbones": ["mnv1_n"], "seeds": [0], "recipes": RECIPES}
    params["train"] |= {"epochs": 20}
    (workspace.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    workspace.run("git", "commit", "--quiet", "--all", "--message", "study")
    return workspace


@pytest.fixture(scope="module")
def tuned(recipes: Workspace) -> Result:
    return recipes.run(*STUDY)


@pytest.fixture(scope="module")
def choice(recipes: Workspace, tuned: Result) -> dict[str, dict[str, list[object]]]:
    found: dict[str, dict[str, list[object]]] = json.loads(recipes.run("python", "-c", CHOICE).output.splitlines()[-1])
    return found


def test_each_arm_has_the_recipe_that_val_says(
    recipes: Workspace, tuned: Result, choice: dict[str, dict[str, list[float]]]
) -> None:
    assert "2 of 2 trials done" in tuned.output
    lines = list(csv.DictReader(io.StringIO((recipes.path / "reports/study/study.csv").read_text(encoding="utf-8"))))
    assert [line["arm"] for line in lines] == ["baseline", "candidate"]
    names = ("lr0 1e-06", "lr0 0.01")
    for line in lines:
        on_val = choice["val"][line["arm"]]
        assert line["recipe"] == names[on_val.index(max(on_val))]
        assert line["tried"] == "; ".join(f"{name}: {value}" for name, value in zip(names, on_val, strict=True))
    assert len(set(choice["val"]["baseline"])) == 2
    chosen = f"chosen on val: {lines[0]['recipe']} for yolo11n, {lines[1]['recipe']} for mnv1_n."
    assert chosen in tuned.output
    assert chosen in (recipes.path / PAGE).read_text(encoding="utf-8")
    (study,) = [run for run in recipes.runs() if "study.name" in run.data.tags]
    assert chosen in study.data.tags["mlflow.note.content"]


def test_the_arms_of_two_trials_can_be_compared(choice: dict[str, dict[str, list[object]]]) -> None:
    for place, arm in enumerate(("baseline", "candidate")):
        assert choice["across"][arm] == choice["digests"][arm][place]
        assert choice["digests"][arm][0] != choice["digests"][arm][1]
