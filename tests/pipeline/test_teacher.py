"""Who teaches: the stage teach for every value, and a teacher that is trained before the arms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mobileyolo.core.config import PARAMS_FILE, Params
from mobileyolo.core.files import BASELINE, NONE, FetchedWeights, ModelFiles, write_none, write_text
from mobileyolo.core.records import Fetched, Teacher, TrainingRecord, WeightsSource
from stages import teach
from tests.pipeline.workspace import Workspace
from tests.synthetic import write_dataset
from tests.synthetic_results import make_result, make_statistics

FILE = WeightsSource(name="my.pt", digest="f" * 64)


def write_model(files: ModelFiles, backbone: str) -> TrainingRecord:
    record = make_result(files.arm, backbone, make_statistics(0, images=5), files.seed).training
    record.write(files.training)
    write_text(files.weights, f"{files.arm} s{files.seed}")
    return record


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, TrainingRecord]:
    """A workspace with trained baselines of the seeds 3 and 0, and a trained teacher of the first one."""
    monkeypatch.chdir(tmp_path)
    seeds = {f"yolo11n s{seed}": write_model(ModelFiles(BASELINE, seed), "yolo11n") for seed in (3, 0)}
    return seeds | {"yolo11s": write_model(ModelFiles("teacher", 3), "yolo11s")}


def taught(monkeypatch: pytest.MonkeyPatch, arm: str, train: dict[str, Any], file: bool = False) -> tuple[Teacher, str]:
    """The teacher of an arm's model of seed 0, and what its checkpoint holds."""
    copies = FetchedWeights("teacher")
    Fetched(name=FILE.name if file else NONE, files=(FILE,) if file else ()).write(copies.record)
    if file:
        write_text(copies.weights(), FILE.name)
    if train["teacher"] in (NONE, BASELINE):
        write_none(*ModelFiles("teacher", 3).trained)
    monkeypatch.setattr("sys.argv", ["teach", arm])
    monkeypatch.setenv("DVC_STAGE", f"teach-{arm}@0")
    teach.main(Params({"seeds": [3, 0], "train": train | {"dis": 6.0}}, PARAMS_FILE))
    files = ModelFiles(arm, 0)
    content = files.teacher_weights.read_text(encoding="utf-8") if files.teacher_weights.is_file() else ""
    return Teacher.read(files.teacher), content


@pytest.mark.parametrize("who", ["both", "candidate"])
def test_the_baseline_teaches_the_candidate_of_its_seed_whoever_else_may_be_taught(
    models: dict[str, TrainingRecord], monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    train = {"teacher": "baseline", "taught": who}
    expected = Teacher(name="yolo11n s0", digest=models["yolo11n s0"].weights_digest, dis=6.0)
    assert taught(monkeypatch, "candidate", train) == (expected, "baseline s0")
    assert taught(monkeypatch, "baseline", train) == (Teacher(name="none"), "")


@pytest.mark.parametrize("kind", ["model", "file"])
def test_a_trained_model_or_a_file_teaches_both_arms_or_the_candidate(
    models: dict[str, TrainingRecord], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A trained one is of the first seed, for every seed."""
    if kind == "model":
        name, digest, content, teacher = "yolo11s", models["yolo11s"].weights_digest, "teacher s3", "yolo11s"
    else:
        name, digest, content, teacher = FILE.name, FILE.digest, FILE.name, NONE
    train, file = {"teacher": teacher, "taught": "both"}, kind == "file"
    expected = Teacher(name=name, digest=digest, dis=6.0, both_arms=True)
    for arm in ("baseline", "candidate"):
        assert taught(monkeypatch, arm, train, file) == (expected, content)
    train["taught"] = "candidate"
    alone = expected.model_copy(update={"both_arms": False})
    assert taught(monkeypatch, "candidate", train, file) == (alone, content)
    assert taught(monkeypatch, "baseline", train, file) == (Teacher(name="none"), "")


def test_nobody_teaches_by_default(models: dict[str, TrainingRecord], monkeypatch: pytest.MonkeyPatch) -> None:
    for arm in ("baseline", "candidate"):
        assert taught(monkeypatch, arm, {"teacher": "none", "taught": "both"}) == (Teacher(name="none"), "")


@pytest.mark.pipeline
@pytest.mark.slow
def test_a_teacher_is_trained_once_and_only_what_depends_on_it_again(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "shapes", train=8, val=4, test=4)
    (tmp_path / "workspace").mkdir()
    workspace = Workspace.create(tmp_path / "workspace", dataset)
    trainings = ("train-teacher@0", "train@baseline-0", "train@candidate-0")

    both = workspace.dvc("exp", "run", "--name", "both", "-S", "train.teacher=yolo11s")
    assert all(both.ran(stage) for stage in (*trainings, "evaluate-teacher@0"))
    comparison = json.loads(workspace.read("reports/comparison.json"))
    trained = comparison["teacher"]
    for arm in ("baseline", "candidate"):
        (teacher,) = comparison[arm]["teachers"]
        assert (teacher["name"], teacher["digest"], teacher["both_arms"]) == (
            "yolo11s",
            trained["weights_digest"],
            True,
        )
        assert "train_dis_loss" in workspace.read(f"models/{arm}/s0/history.csv").decode()
    assert "train_dis_loss" not in workspace.read("models/teacher/s0/history.csv").decode()
    measured = json.loads(workspace.read("reports/metrics/teacher/s0.json"))
    told = f"yolo11s (mAP50-95 {measured['val_map50_95']:.3f} on val, {measured['map50_95']:.3f} on test)"
    assert f"Both models were taught by {told}." in comparison["reason"]
    page = workspace.read("reports/index.html").decode()
    assert told in page
    assert "-S train.teacher=yolo11s -S train.taught=both" in page.replace("\\\n    ", "")
    runs = {run.data.tags["arm"]: run for run in workspace.runs()}
    assert runs["teacher"].data.metrics["map50_95"] == measured["map50_95"]
    assert (runs["teacher"].info.run_name, runs["teacher"].data.tags["stage"]) == ("yolo11s-s0-both", "evaluated")
    assert runs["candidate"].data.tags["teacher.digest"] == runs["teacher"].data.tags["weights.digest"]
    assert json.loads(workspace.read("reports/history.json"))["candidates"] == 1

    one = workspace.dvc("exp", "run", "--name", "one", "-S", "train.taught=candidate")
    assert [one.ran(stage) for stage in trainings] == [False, True, True]
    told = f"mnv1_n was taught by {told}, yolo11n by nobody."
    assert told in json.loads(workspace.read("reports/comparison.json"))["reason"]

    nobody = workspace.dvc("exp", "run", "--name", "nobody", "-S", "train.teacher=none")
    assert nobody.ran("train-teacher@0")  # which then trains nothing
    assert workspace.read("models/teacher/s0/best.pt") == b"none\n"
    assert [nobody.ran(stage) for stage in trainings[1:]] == [False, True]
    assert json.loads(workspace.read("reports/comparison.json"))["teacher"] is None

    again = workspace.dvc("exp", "run", "--name", "again", "-S", "train.teacher=yolo11s", "-S", "seeds=[0,1]")
    assert [again.ran(stage) for stage in trainings] == [False, False, False]
    assert [again.ran(f"train@{arm}-1") for arm in ("baseline", "candidate")] == [True, True]
    teachers = json.loads(workspace.read("reports/comparison.json"))["candidate"]["teachers"]
    assert [teacher["digest"] for teacher in teachers] == [trained["weights_digest"]] * 2
