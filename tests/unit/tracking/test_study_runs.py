from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.tracking import Tracker, read_runs, study_run
from mobileyolo.tracking.store import open_store
from tests.unit.tracking.processes import CARD, PLAN, RECORD, log_epochs

PARENT = "mlflow.parentRunId"


def train(seed: int, trial: str, weights: str, *, fails: bool = False) -> None:
    """Log a training of a trial; of the workspace where the trial's name is empty."""
    with pytest.MonkeyPatch.context() as patch:
        if trial:
            patch.setenv("DVC_EXP_NAME", trial)
        training = Tracker.open("shapes", CARD).training(PLAN.model_copy(update={"seed": seed}))
        if fails:
            with pytest.raises(ValueError, match="NaN"), training:
                raise ValueError("NaN")
            return
        with training as live:
            log_epochs(live, range(1, 2))
            live.finish(RECORD.model_copy(update={"seed": seed, "weights_digest": weights}))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[MlflowClient]:
    """Runs of a baseline that the workspace trained, of a trial that is done and one that failed, and of no study."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        for name in ("MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
            patch.delenv(name, raising=False)
        train(0, "", "shared")
        train(1, "study-a", "a")
        train(2, "study-b", "", fails=True)
        train(3, "", "another")
        yield open_store()


def children(store: MlflowClient, study: str) -> list[str]:
    """Seeds of a study's children."""
    parent = the_run(store, study)
    experiment = parent.info.experiment_id
    found = store.search_runs([experiment], f"tags.`{PARENT}` = '{parent.info.run_id}'")
    return sorted(run.data.params["seed"] for run in found)


def the_run(store: MlflowClient, study: str) -> Run:
    (found,) = store.search_runs(
        [each.experiment_id for each in store.search_experiments()], f"tags.`study.name` = '{study}'"
    )
    return found


def test_before_the_first_run_of_a_trial_there_is_none_of_the_study(store: MlflowClient) -> None:
    with study_run("study-0") as run:
        run.log({"study-waiting": set()}, "nothing", "")
    ids = [each.experiment_id for each in store.search_experiments()]
    assert store.search_runs(ids, "tags.`study.name` = 'study-0'") == []


def test_a_study_is_the_parent_of_its_trials_runs_whoever_trained_them(store: MlflowClient) -> None:
    with study_run("study-1") as run:
        run.log({"study-a": {"a", "shared"}}, "**one**", "trial\na\n")
        assert the_run(store, "study-1").info.status == "RUNNING"
        run.log({"study-a": {"a", "shared"}, "study-b": set()}, "**two**", "trial\na\nb\n")
        run.failure = "1 of 2 trials failed"
    parent = the_run(store, "study-1")
    assert children(store, "study-1") == ["0", "1", "2"]
    assert (parent.info.run_name, parent.info.status) == ("study-1", "FAILED")
    assert parent.data.tags["reason"] == "1 of 2 trials failed"
    assert parent.data.tags["mlflow.note.content"] == "**two**"
    assert store.get_experiment(parent.info.experiment_id).name == "shapes-01234567"


def test_each_trial_is_searched_for_once(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the end of each trial would cost a request for every one before it."""
    asked: list[str] = []
    search = MlflowClient.search_runs

    def counted(client: MlflowClient, ids: list[str], query: str = "", **options: object) -> object:
        asked.append(query)
        return search(client, ids, query, **options)

    monkeypatch.setattr(MlflowClient, "search_runs", counted)
    with study_run("study-3") as run:
        for trials in ({"study-a"}, {"study-a", "study-b"}, {"study-a", "study-b"}):
            run.log({trial: {"shared"} for trial in trials}, "", "")
    assert sorted(query for query in asked if "study.name" not in query) == [
        "tags.\"dvc.exp\" = 'study-a'",
        "tags.\"dvc.exp\" = 'study-b'",
        "tags.\"weights.digest\" = 'shared'",
    ]


def test_the_same_command_goes_on_in_the_same_run(store: MlflowClient, tmp_path: Path) -> None:
    with study_run("study-1") as run:
        run.log({"study-a": {"a"}, "study-b": set()}, "**three**", "trial\nc\n")
    parent = the_run(store, "study-1")
    assert (parent.info.status, parent.data.tags.get("reason")) == ("FINISHED", None)
    table = store.download_artifacts(parent.info.run_id, "study.csv", str(tmp_path))
    assert Path(table).read_text(encoding="utf-8") == "trial\nc\n"


def test_another_studys_child_stays_that(store: MlflowClient) -> None:
    with study_run("study-2") as run:
        run.log({"study-a": {"a", "another"}}, "", "")
    assert children(store, "study-2") == ["3"]
    assert children(store, "study-1") == ["0", "1", "2"]


def test_a_study_that_is_stopped_is_killed(store: MlflowClient) -> None:
    def begin_and_stop() -> None:
        with study_run("study-3") as run:
            run.log({"study-a": {"a"}}, "", "")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_stop()
    parent = the_run(store, "study-3")
    assert (parent.info.status, parent.data.tags["reason"]) == ("KILLED", "SIGINT")


def test_one_whose_process_ended_without_a_word_is_killed_too(store: MlflowClient) -> None:
    with study_run("study-4") as run:
        run.log({"study-a": {"a"}}, "", "")
        parent = the_run(store, "study-4").info.run_id
        Tracker.open("shapes", CARD)  # as a trial does meanwhile
        assert store.get_run(parent).info.status == "RUNNING"
        store.set_tag(parent, "pid.started", "0")
        Tracker.open("shapes", CARD)
        assert store.get_run(parent).info.status == "KILLED"


def test_it_is_no_model_to_the_leaderboard(store: MlflowClient) -> None:
    assert sorted(run.params["seed"] for run in read_runs()) == ["0", "1", "2", "3"]


def test_a_store_that_is_out_of_reach_fails_no_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with (
        pytest.warns(UserWarning, match=r"logging study-5 failed .*The same command tries again"),
        study_run("study-5") as run,
    ):
        run.log({"study-a": {"a"}}, "", "")
