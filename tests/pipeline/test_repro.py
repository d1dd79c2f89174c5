"""`dvc repro` and `dvc exp run` as people use them, on a small synthetic dataset outside the workspace.

The tests share one workspace and build on each other in the order of this file, since each run costs a minute.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from ultralytics.nn.tasks import ClassificationModel

from mobileyolo.core.records import MetricsRecord, TrainingTime
from mobileyolo.core.tables import Scenes
from mobileyolo.verdict.records import ERROR_KINDS, Comparison
from mobileyolo.verdict.sentences import headline
from tests.pipeline.workspace import ROOT, Result, Workspace
from tests.synthetic import write_dataset

pytestmark = pytest.mark.pipeline

STAGES = (
    "check",
    "digits",
    "validate",
    "fetch@backbone",
    "fetch@detector",
    "fetch@teacher",
    "build@{arm}",
    "build@teacher",
    "train-teacher@0",
    "evaluate-teacher@0",
    "teach-{arm}@0",
    "train@{arm}-0",
    "evaluate@{arm}-0",
    "history",
    "latency",
    "cost",
    "compare",
)


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("elsewhere") / "shapes", train=8, val=4, test=4)


@pytest.fixture(scope="module")
def untouched(dataset: Path) -> dict[str, bytes]:
    return bytes_below(dataset)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, dataset: Path, untouched: dict[str, bytes]) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("workspace"), dataset)


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Result:
    return workspace.dvc("repro")


def test_one_command_runs_every_stage(first: Result) -> None:
    names = {stage.format(arm=arm) for stage in STAGES for arm in ("baseline", "candidate")}
    assert [name for name in sorted(names) if not first.ran(name)] == []


def test_nothing_of_it_reaches_beyond_this_machine(workspace: Workspace, first: Result) -> None:
    """All processes that DVC starts are watched, as the attempt of another one shows."""
    assert workspace.lookups() == []
    asking = "import socket; socket.getaddrinfo('example.invalid', 80)"
    assert "a test must not reach" in workspace.run(sys.executable, "-c", asking, check=False).output
    assert len(workspace.lookups()) == 1
    workspace.lookups_log.unlink()


def test_it_ends_in_a_verdict_with_intervals_and_a_report(workspace: Workspace, first: Result) -> None:
    comparison = json.loads(workspace.read("reports/comparison.json"))
    assert comparison["verdict"] == "inconclusive"
    assert (comparison["guards"]["scenes"], comparison["guards"]["few_scenes"]) == (4, "no verdict")
    assert (comparison["baseline"]["backbone"], comparison["candidate"]["backbone"]) == ("yolo11n", "mnv1_n")
    assert (comparison["split"], comparison["images"]) == ("test", 4)
    for delta in comparison["metrics"].values():
        assert delta["low"] <= delta["delta"] <= delta["high"]
    assert b"mnv1_n" in workspace.read("reports/index.html")
    assert b'<html lang="zh-CN"' in workspace.read("reports/index.zh-CN.html")
    pages = {path.name for path in (workspace.path / "reports/errors").glob("*.html")}
    assert pages == {f"{kind}{ending}" for kind in ERROR_KINDS for ending in (".html", ".zh-CN.html")}
    shown = workspace.run("python", "-m", "mobileyolo", "show").output
    assert "mAP50-95" in shown
    assert "index.html" in shown


def test_mlflow_has_one_finished_run_an_arm_with_what_people_compare(workspace: Workspace, first: Result) -> None:
    runs = workspace.runs()
    assert sorted((run.info.run_name, run.data.tags["arm"], run.info.status) for run in runs) == [
        ("mnv1_n-s0", "candidate", "FINISHED"),
        ("yolo11n-s0", "baseline", "FINISHED"),
    ]
    for run in runs:
        metrics = MetricsRecord.read(workspace.path / f"reports/metrics/{run.data.tags['arm']}/s0.json")
        assert metrics.numbers().items() <= run.data.metrics.items()
        assert {"val_map50_95", "train/box_loss", "val/map50_95"} <= run.data.metrics.keys()
        ratios = {"latency_ratio", "latency_onnx_ratio", "delta/map50_95"}
        assert ratios & run.data.metrics.keys() == (ratios if run.data.tags["arm"] == "candidate" else set())
        assert {"validation.errors", "validation.warnings"} <= run.data.metrics.keys()
        assert (run.data.tags["stage"], run.data.tags["validation.passed"]) == ("compared", "true")
    assert len({run.data.tags["recipe.digest"] for run in runs}) == 1


def test_the_console_says_how_far_it_is_and_ends_with_the_answer_once(workspace: Workspace, first: Result) -> None:
    assert "Stage 12 of 21; at most 1 training after it" in first.output
    answer = headline(Comparison.read(workspace.path / "reports/comparison.json"))
    assert first.output.count(answer) == 1
    assert first.output.count("Keep it: git add params.yaml dvc.lock reports/metrics.json") == 1
    for noise in ("agnostic_nms=", "Creating new Ultralytics Settings", "Logging results to", "hours", "gradients"):
        assert noise not in first.output


def test_a_second_run_only_asks_mlflow_again(workspace: Workspace, first: Result) -> None:
    assert re.findall("Running stage '(.*)'", workspace.dvc("repro").output) == ["history"]
    # Nobody has written into the store since.
    command = ("env", "DVC_STAGE=history", "python", "-X", "importtime", "-m", "stages.history")
    told = workspace.run(*command).output
    assert "as the store was last asked" in told
    assert re.search(r"\| +pydantic$", told, re.M)
    assert not re.search(r"\| +(mlflow|pandas|numpy)$", told, re.M)


def test_git_sees_nothing_new_but_the_lock_file_and_the_answer_in_numbers(workspace: Workspace, first: Result) -> None:
    status = workspace.run("git", "status", "--porcelain", "--untracked-files=all").output
    assert status.split() == ["??", "dvc.lock", "??", "reports/metrics.json"]


def test_the_users_dataset_is_left_as_it_was(dataset: Path, untouched: dict[str, bytes], first: Result) -> None:
    assert bytes_below(dataset) == untouched


def test_metrics_params_plots_and_graph_can_be_shown(workspace: Workspace, first: Result) -> None:
    assert "candidate.map50_95" in workspace.dvc("metrics", "show", "--md").output
    assert "train@candidate-0" in workspace.dvc("dag").output
    page = Path(workspace.dvc("plots", "show", "--out", "plots").output.strip().removeprefix("file://"))
    html = page.read_text(encoding="utf-8")
    assert all(name in html for name in ("Validation mAP50-95", "Precision-recall", "Confusion of the candidate"))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("backbone=nonsense", "backbone: 'nonsense': unknown backbone; choose one of mnv1_n, mnv1_s, mnv1_m, yolo11n"),
        ("backbone='x; touch pwned'", "unknown backbone; choose one of"),
        ('seeds=["0; touch pwned"]', "seeds.0: '0; touch pwned': input should be a valid integer"),
        ("seeds=['$(touch pwned)']", "seeds.0: '$(touch pwned)': input should be a valid integer"),
        ("+trian.epochs=3", "trian: unknown key; did you mean 'train'? choose one of backbone, baseline"),
        ("trian.epochs=3", "trian"),  # DVC itself refuses a key that is not there
        ("train.epochs=many", "train.epochs: 'many': input should be a valid integer"),
    ],
)
def test_a_wrong_parameter_stops_at_once_and_reaches_no_shell(
    workspace: Workspace, first: Result, override: str, said: str
) -> None:
    failed = workspace.dvc("exp", "run", "-S", override, check=False)
    restored = workspace.run("git", "checkout", "params.yaml").output
    assert failed.code != 0
    assert said in failed.output
    # A value that -S has written is still there; DVC refuses some before it writes.
    assert ("git checkout params.yaml" in failed.output) == ("Updated 1 path" in restored)
    assert not failed.ran("digits")
    assert not failed.ran("build@candidate")
    assert not list(workspace.path.rglob("pwned"))


def test_damaged_data_is_noticed_and_trains_nothing(workspace: Workspace, dataset: Path, first: Result) -> None:
    label = dataset / "train" / "labels" / "003.txt"
    good = label.read_text(encoding="utf-8")
    label.write_text(good + "7 0.5 0.5 0.1 0.1\n", encoding="utf-8", newline="\n")
    failed = workspace.dvc("repro", check=False)
    label.write_text(good, encoding="utf-8", newline="\n")
    assert failed.code != 0
    assert "train/labels/003.txt:3" in failed.output
    assert not failed.ran("train@candidate-0")
    assert (workspace.path / "reports/validation/docs/index.html").is_file()
    assert not (workspace.path / "data/dataset.yaml").exists()
    repaired = workspace.dvc("repro")
    assert not repaired.ran("train@candidate-0")  # the good dataset's results come from the cache


@pytest.fixture(scope="module")
def other_backbone(workspace: Workspace, first: Result) -> Result:
    return workspace.dvc("exp", "run", "--name", "wider", "-S", "backbone=mnv1_s")


def test_another_backbone_trains_only_the_candidate(workspace: Workspace, other_backbone: Result) -> None:
    assert other_backbone.ran("train@candidate-0")
    for stage in ("digits", "validate", "build@baseline", "train@baseline-0", "evaluate@baseline-0"):
        assert not other_backbone.ran(stage)
    names = [run.info.run_name for run in workspace.runs()]
    assert sorted(names) == ["mnv1_n-s0", "mnv1_s-s0-wider", "yolo11n-s0"]
    assert json.loads(workspace.read("reports/comparison.json"))["candidate"]["width"] == 0.5


def test_experiments_line_up_in_one_table(
    workspace: Workspace, other_backbone: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = workspace.dvc("exp", "show", "--csv", "--only-changed").output
    header, *rows = table.strip().splitlines()
    assert "backbone" in header
    assert any("wider" in row and "mnv1_s" in row for row in rows)
    (recipe,) = re.findall(r"^table:.*\n\t@dvc (.*\\\n.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    monkeypatch.setenv("COLUMNS", "120")
    shown = workspace.dvc(*shlex.split(recipe.replace("\\\n", " "))).output
    assert "wider" in shown
    assert "verdict" in shown
    assert max(map(len, shown.splitlines())) <= 120
    columns = workspace.dvc("exp", "show", "--csv").output.splitlines()[0].split(",")
    assert {"verdict", "delta", "low", "high", "candidate.map50_95"} <= set(columns)


def test_going_back_to_a_backbone_and_another_seed_trains_only_what_is_missing(
    workspace: Workspace, other_backbone: Result
) -> None:
    more = workspace.dvc("exp", "run", "-S", "backbone=mnv1_n", "-S", "seeds=[0,1]")
    assert [more.ran(f"train@{arm}-{seed}") for arm in ("baseline", "candidate") for seed in (0, 1)] == [
        False,
        True,
        False,
        True,
    ]
    comparison = json.loads(workspace.read("reports/comparison.json"))
    assert (comparison["candidate"]["backbone"], comparison["seeds"]) == ("mnv1_n", [0, 1])


def test_when_and_how_long_a_model_was_trained_is_kept_apart_from_its_results(
    workspace: Workspace, first: Result
) -> None:
    time = TrainingTime.read(workspace.path / "reports/times/candidate/s0.json")
    assert datetime.fromisoformat(time.started).utcoffset() == timedelta(0)
    assert time.machine
    assert time.threads >= 1


def test_every_held_out_image_has_a_scene(workspace: Workspace, first: Result) -> None:
    evaluated = pd.read_parquet(workspace.path / "reports/statistics/candidate/s0/images.parquet")["image"]
    scenes = Scenes.read(workspace.path / "data/scenes.parquet").of("test", evaluated.tolist())
    assert len(scenes) == 4


def test_training_again_gives_the_same_bytes(workspace: Workspace, first: Result) -> None:
    names = [f"models/candidate/s0/{name}" for name in ("best.pt", "history.csv", "training.json")]
    before = [workspace.read(name) for name in names]
    shutil.rmtree(workspace.path / ".mobileyolo/trainings")  # else the stage gives the last training's files again
    again = workspace.dvc("repro", "--force", "--single-item", "--no-run-cache", "train@candidate-0")
    assert again.ran("train@candidate-0")
    assert [workspace.read(name) for name in names] == before


@pytest.mark.slow
def test_a_queued_experiment_runs_its_own_code_and_logs_to_the_same_store(
    workspace: Workspace, other_backbone: Result
) -> None:
    """Not that of the installed package, and not that of the workspace as it is when the queue starts."""
    library = workspace.path / "src" / "mobileyolo" / "reporting" / "comparison" / "summary.py"
    original = library.read_text(encoding="utf-8")
    queued = "\n\ndef console_report(comparison: Comparison) -> str:\n    return 'the code that was queued'\n"
    library.write_text(original + queued, encoding="utf-8")
    workspace.dvc("exp", "run", "--queue", "--name", "queued", "-S", "backbone=mnv1_m")
    library.write_text("raise SystemExit('the workspace moved on')\n", encoding="utf-8")
    try:
        workspace.dvc("queue", "start")
        workspace.finish_queue()
        logs = workspace.dvc("queue", "logs", "queued").output
    finally:
        library.write_text(original, encoding="utf-8")
        workspace.dvc("queue", "stop")
    assert "the code that was queued" in logs
    assert "moved on" not in logs
    assert "mnv1_m-s0-queued" in [run.info.run_name for run in workspace.runs()]
    assert all(run.info.status == "FINISHED" for run in workspace.runs())


@pytest.fixture(scope="module")
def taught(workspace: Workspace, first: Result) -> Result:
    return workspace.dvc(
        "exp", "run", "--name", "taught", "-S", "backbone=mnv1_n", "-S", "seeds=[0]", "-S", "train.teacher=baseline"
    )


@pytest.mark.slow
def test_the_baseline_teaches_the_candidate_without_being_trained_again(workspace: Workspace, taught: Result) -> None:
    assert taught.ran("train@candidate-0")
    assert not taught.ran("train@baseline-0")
    comparison = json.loads(workspace.read("reports/comparison.json"))
    (teacher,) = comparison["candidate"]["teachers"]
    assert (teacher["name"], teacher["digest"]) == ("yolo11n s0", comparison["baseline"]["weights_digests"][0])
    told = "Not only the backbone differs: mnv1_n was taught by yolo11n s0, yolo11n by nobody."
    assert told in comparison["reason"]
    (run,) = [run for run in workspace.runs() if run.info.run_name == "mnv1_n-s0-taught"]
    assert run.data.params["train.teacher"] == "yolo11n s0"
    assert run.data.tags["teacher.digest"] == teacher["digest"]


@pytest.mark.slow
def test_both_arms_start_from_a_detector_and_the_verdict_says_how_unequally(
    workspace: Workspace, taught: Result, tmp_path: Path
) -> None:
    source = tmp_path / "yolo11n.pt"
    source.write_bytes(workspace.read("models/baseline/s0/best.pt"))
    started = workspace.dvc("exp", "run", "-S", "train.teacher=none", "-S", f"init.detector={source.as_posix()}")
    assert started.ran("train@baseline-0")
    assert started.ran("train@candidate-0")
    comparison = json.loads(workspace.read("reports/comparison.json"))
    baseline, candidate = comparison["baseline"]["start"], comparison["candidate"]["start"]
    assert baseline["values"] == baseline["of_values"]
    assert 0 < candidate["values"] < candidate["of_values"]
    assert "yolo11n from yolo11n.pt (100% of its values are pretrained)" in comparison["reason"]
    assert b"Where the models start" in workspace.read("reports/index.html")


@pytest.fixture(scope="module")
def mobilenet_alone(workspace: Workspace, first: Result) -> Result:
    """The candidate starts from a MobileNetV1, in a folder where the baseline finds nothing."""
    folder = workspace.path / "data/weights/imagenet"
    folder.mkdir()
    torch.save(timm.create_model("mobilenetv1_100", pretrained=False).state_dict(), folder / "mobilenetv1_100")
    values = ("backbone=mnv1_m", "seeds=[0]", "train.teacher=none", "init.detector=none", "init.backbone=imagenet")
    return workspace.dvc("exp", "run", *(word for value in values for word in ("-S", value)))


@pytest.mark.slow
def test_a_backbone_for_the_candidate_trains_the_candidate_only(workspace: Workspace, mobilenet_alone: Result) -> None:
    assert mobilenet_alone.ran("build@baseline")
    assert mobilenet_alone.ran("train@candidate-0")
    assert not mobilenet_alone.ran("train@baseline-0")
    reason = json.loads(workspace.read("reports/comparison.json"))["reason"]
    assert "Not only the backbone differs: mnv1_m starts from mobilenetv1_100 (" in reason
    assert "yolo11n from random weights" in reason


@pytest.mark.slow
def test_a_backbone_for_the_baseline_as_well_trains_the_baseline_only_and_makes_the_start_equal(
    workspace: Workspace, mobilenet_alone: Result
) -> None:
    model = ClassificationModel("yolo11n-cls.yaml", nc=10, verbose=False)
    torch.save({"model": model.half(), "ema": None}, workspace.path / "data/weights/imagenet/yolo11n-cls.pt")
    both = workspace.dvc("repro")
    assert both.ran("build@candidate")
    assert both.ran("train@baseline-0")
    assert not both.ran("train@candidate-0")
    reason = json.loads(workspace.read("reports/comparison.json"))["reason"]
    assert "Both backbones start from ImageNet weights (yolo11n-cls.pt, mobilenetv1_100)." in reason
    assert "Not only" not in reason
    assert b"-S init.backbone=imagenet " in workspace.read("reports/index.html")
    digests = {run.data.tags["start.backbone.digest"] for run in workspace.runs()[-2:]}
    offered = json.loads(workspace.read("models/candidate/offer.json"))["files"]["backbone"]
    assert digests == {file["digest"] for file in offered}


def test_weights_that_are_not_there_stop_everything_at_once(workspace: Workspace, first: Result) -> None:
    failed = workspace.dvc("exp", "run", "-S", "init.detector=gone.pt", check=False)
    workspace.run("git", "checkout", "--quiet", "params.yaml")
    assert failed.code != 0
    assert "init.detector: 'gone.pt': no file" in failed.output
    assert not failed.ran("fetch@detector")


@pytest.mark.slow
def test_what_the_console_says_keeps_a_result_for_later_comparisons(workspace: Workspace, taught: Result) -> None:
    """Nothing about experiments comes after it: it commits, and those of the commit before are no longer listed."""
    workspace.dvc("repro")
    workspace.run("git", "add", "params.yaml", "dvc.lock", "reports/metrics.json")
    workspace.run("git", "commit", "--quiet", "--message", "mnv1_n against yolo11n")
    workspace.dvc("exp", "run", "-S", "compare.seed_sd=0.1")
    diff = json.loads(workspace.dvc("metrics", "diff", "--json").output)["reports/metrics.json"]
    assert {"low", "high"} <= diff.keys()
    for change in diff.values():
        assert change["new"] > change["old"] or change["new"] < change["old"]


@pytest.mark.slow
def test_continuous_integration_pulls_what_was_trained_and_says_what_changed(
    workspace: Workspace, taught: Result, tmp_path: Path
) -> None:
    workspace.dvc("remote", "add", "--default", "team", str(tmp_path))
    workspace.dvc("repro")
    workspace.dvc("push", "--run-cache")
    for path in (".dvc/cache", "models"):
        shutil.rmtree(workspace.path / path)
    told = workspace.run("bash", ".ci/compare", "HEAD")
    assert "Running stage 'train" not in told.output
    change = workspace.read("reports/change.md").decode()
    assert change.startswith(workspace.read("reports/summary.md").decode())
    assert re.search(r"^\| reports/metrics.json +\| candidate.map50_95 +\|", change, re.MULTILINE)
