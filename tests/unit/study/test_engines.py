from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import (
    COMPARISON_FILE,
    DATASET_FILE,
    HISTORY_FILE,
    LATENCY_FILE,
    SCENES_FILE,
    ModelFiles,
    offer_file,
)
from mobileyolo.core.records import DatasetCard, SplitCount
from mobileyolo.core.tables import Scenes
from mobileyolo.experiments import Experiment
from mobileyolo.family.members import Evidence
from mobileyolo.study import engines
from mobileyolo.study.engines import DvcEngine, Work
from mobileyolo.study.trials import Trial
from mobileyolo.verdict.comparison import compare
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import Comparison
from tests.synthetic_comparison import make_comparison
from tests.synthetic_results import (
    make_arms,
    make_circumstances,
    make_evidence,
    make_result,
    make_statistics,
    with_training,
)
from tests.synthetic_study import VALUES, make_course

COMPARISON = make_comparison()


@pytest.fixture
def trial() -> Trial:
    return make_course(backbones=["mnv1_s"]).trials[0]


@pytest.fixture
def begun(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Work]]:
    """Works that are stopped in the end; what runs is the script that a test wrote into its folder."""
    script = tmp_path / "script.py"
    monkeypatch.setattr(engines, "command_beside", lambda *_: [sys.executable, str(script)])
    works: list[Work] = []
    yield works
    for work in works:
        work.stop()


def begin(script: str, trial: Trial, folder: Path, works: list[Work]) -> Work:
    (folder / "script.py").write_text(script)
    works.append(DvcEngine(VALUES).begin(trial, folder / "logs/trial.log"))
    return works[-1]


def test_a_trial_is_one_command_of_dvc_that_sets_what_differs(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(engines, "_apart", lambda command, _output: commands.append(command))
    DvcEngine(VALUES).begin(trial, tmp_path / "trial.log")
    (command,) = commands
    assert command[1:] == [
        "-m", "mobileyolo.experiments", "exp", "run", "--temp", "--name", trial.name,
        "--set-param", "backbone=mnv1_s",
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "succeeded"), [(0, True), (3, False)])
def test_a_trial_that_has_ended_has_succeeded_or_not_and_left_its_log(
    code: int, succeeded: bool, trial: Trial, tmp_path: Path, begun: list[Work]
) -> None:
    script = f"import sys; print('said'); print('warned', file=sys.stderr); sys.exit({code})"
    work = begin(script, trial, tmp_path, begun)
    assert work.ended(600) is succeeded
    assert sorted((tmp_path / "logs/trial.log").read_text().split()) == ["said", "warned"]


def test_a_trial_that_is_stopped_can_close_what_it_has_opened(trial: Trial, tmp_path: Path, begun: list[Work]) -> None:
    script = "import time\ntry:\n    print('runs', flush=True); time.sleep(600)\nfinally:\n    print('closed')"
    work = begin(script, trial, tmp_path, begun)
    log = tmp_path / "logs/trial.log"
    while "runs" not in log.read_text():
        assert work.ended(0.1) is None
    work.stop()
    assert work.ended(0) is False
    assert "closed" in log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-Break can't be ignored by this script")
def test_one_that_ignores_ctrl_c_is_terminated(
    trial: Trial, tmp_path: Path, begun: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PATIENCE", 0.1)
    script = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN); print('runs', flush=True)\n"
    work = begin(f"{script}time.sleep(600)", trial, tmp_path, begun)
    while "runs" not in (tmp_path / "logs/trial.log").read_text():
        assert work.ended(0.1) is None
    work.stop()
    assert work.ended(0) is False


def test_results_are_those_of_this_commits_experiments_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Experiment("study-mnv1_n-128-1", "a", "head"), Experiment("wider", "b", "head")]
    monkeypatch.setattr(engines, "present_experiments", lambda: found)
    read: Mapping[Path, Any] = {COMPARISON_FILE: COMPARISON.model_dump_json()}
    monkeypatch.setattr(Experiment, "read", lambda _self, path: read[path])
    assert DvcEngine(VALUES).results({"study-mnv1_n-128-1", "waiting"}) == {"study-mnv1_n-128-1": COMPARISON}


def test_a_result_that_is_no_longer_in_the_cache_is_one_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(_self: Experiment, _path: Path) -> str:
        raise UserError("can't be read; dvc fetch")

    monkeypatch.setattr(engines, "present_experiments", lambda: [Experiment("study-a", "a", "head")])
    monkeypatch.setattr(Experiment, "read", gone)
    with pytest.raises(UserError, match="dvc exp remove study-a"):
        DvcEngine(VALUES).results({"study-a"})


def test_evidence_is_read_from_the_experiment_in_the_order_of_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    result = make_result("candidate", "mnv1_n", make_statistics(0))
    scenes = {name: number // 2 for number, name in enumerate(result.statistics.images["image"])}
    asked: list[Path] = []

    def copied(_self: Experiment, paths: Iterable[Path], folder: Path) -> None:
        asked.extend(paths)
        result.training.write(folder / ModelFiles("candidate", 2).training)
        for seed in (2, 5):
            make_statistics(seed).write(folder / ModelFiles("candidate", seed).statistics)
        table = pd.DataFrame({"split": "test", "image": list(scenes), "scene": list(scenes.values())})
        Scenes(table).write(folder / SCENES_FILE)

    others = [Experiment("other", "a", "h"), Experiment("it", "b", "h")]
    monkeypatch.setattr(engines, "present_experiments", lambda: others)
    monkeypatch.setattr(Experiment, "copy", copied)
    results = {"it": COMPARISON.model_copy(update={"seeds": (2, 5)})}
    assert DvcEngine(VALUES).evidence(results, statistics=False) == {"it": Evidence(result.training.engine)}
    assert asked == [Path("models/candidate/s2/training.json")]
    evidence = DvcEngine(VALUES).evidence(results, statistics=True)["it"]
    assert evidence.engine == result.training.engine
    assert evidence.candidate is not None
    assert evidence.candidate.scenes.tolist() == list(scenes.values())
    for statistics, seed in zip(evidence.candidate.statistics, (2, 5), strict=True):
        pd.testing.assert_frame_equal(statistics.predictions, make_statistics(seed).predictions)
    assert set(asked[1:]) == {
        Path("models/candidate/s2/training.json"),
        Path("data/scenes.parquet"),
        *(Path(f"reports/statistics/candidate/s{seed}") for seed in (2, 5)),
    }


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> tuple[Comparison, list[Trial]]:
    """What a comparison of two trials' arms has to be, and the trials, which are experiments."""
    monkeypatch.setitem(VALUES["compare"], "resamples", 100)
    trials = make_course(backbones=["mnv1_n"], seeds=[0, 1], recipes=[{"lr0": 0.0007}, {}]).trials
    skills = {trials[0].name: (0.9, 0.2), trials[1].name: (0.5, 0.7)}  # of baseline and candidate
    arms = {
        (name, arm): make_evidence(
            [with_training(result, recipe_digest=name, recipe={"epochs": 40}) for result in results]
        )
        for name, (baseline, candidate) in skills.items()
        for arm, results in zip(ARMS, make_arms(baseline, candidate, seeds=2), strict=True)
    }
    circumstances = make_circumstances()

    def copied(self: Experiment, paths: Iterable[Path], folder: Path) -> None:
        writers: dict[Path, Callable[[Path], None]] = {
            DATASET_FILE: DatasetCard(
                digest="d", names=("a",), splits={"train": SplitCount(images=circumstances.train_images, boxes=9)}
            ).write,
            HISTORY_FILE: circumstances.history.write,
            LATENCY_FILE: circumstances.latency.write,
        }
        for arm in ARMS:
            own = arms[self.name, arm]
            writers[offer_file(arm)] = own.offer.write
            for seed, result in enumerate(own.results):
                files = ModelFiles(arm, seed)
                writers[files.training], writers[files.metrics] = result.training.write, result.metrics.write
                writers[files.statistics], writers[files.time] = result.statistics.write, own.times[seed].write
                writers[files.history] = partial(own.histories[seed].to_csv, index=False)
        images = arms[self.name, "baseline"].results[0].statistics.images["image"]
        table = pd.DataFrame({"split": "test", "image": images, "scene": range(len(images))})
        writers[SCENES_FILE] = Scenes(table).write
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            writers[path](folder / path)

    experiments = [Experiment(trial.name, "r", "head") for trial in trials]
    monkeypatch.setattr(engines, "present_experiments", lambda: experiments)
    monkeypatch.setattr(Experiment, "copy", copied)
    baseline, candidate = arms[trials[0].name, "baseline"], arms[trials[1].name, "candidate"]
    options = VerdictOptions.model_validate(VALUES["compare"])
    return compare(baseline, candidate, dataclasses.replace(circumstances, tuned=True), options), trials


def test_the_baseline_of_one_trial_is_compared_with_the_candidate_of_another_one_as_in_a_trial(
    tuned: tuple[Comparison, list[Trial]],
) -> None:
    expected, (first, second) = tuned
    across = DvcEngine(VALUES).across(first, second)
    assert across == expected
    reverse = DvcEngine(VALUES).across(second, first).metrics["map50_95"]
    assert reverse.candidate < across.metrics["map50_95"].candidate
    assert reverse.baseline < across.metrics["map50_95"].baseline


def test_a_trial_that_was_removed_meanwhile_is_an_error_that_says_what_to_do(
    tuned: tuple[Comparison, list[Trial]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (first, second) = tuned
    monkeypatch.setattr(engines, "present_experiments", lambda: [Experiment(second.name, "r", "head")])
    with pytest.raises(UserError, match=f"{first.name}: no such experiment any more; the same command runs it again"):
        DvcEngine(VALUES).across(first, second)


def test_evidence_that_is_no_longer_in_the_cache_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_self: Experiment, _paths: Iterable[Path], _folder: Path) -> None:
        raise UserError("can't be read; dvc fetch")

    monkeypatch.setattr(engines, "present_experiments", lambda: [Experiment("it", "a", "head")])
    monkeypatch.setattr(Experiment, "copy", gone)
    assert DvcEngine(VALUES).evidence({"it": COMPARISON}, statistics=True) == {}
