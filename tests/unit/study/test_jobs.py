from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import Timeout

from mobileyolo.study import jobs
from mobileyolo.study.jobs import CACHE, Job, NodeError, Outcome, Report, Site, own_slot, run_job


def test_jobs_at_the_same_time_have_a_slot_each_and_the_next_one_gets_the_first_again(tmp_path: Path) -> None:
    with own_slot(tmp_path) as first:
        with own_slot(tmp_path) as second:
            assert second != first
        with own_slot(tmp_path) as third:
            assert third == second
    with own_slot(tmp_path) as fourth:
        assert fourth == first


def test_a_job_that_fails_gives_its_slot_back(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), own_slot(tmp_path) as first:
        raise OSError("full")
    with own_slot(tmp_path) as second:
        assert second == first


def test_a_lock_that_a_job_did_not_get_is_an_error_of_the_job(tmp_path: Path) -> None:
    with pytest.raises(Timeout), own_slot(tmp_path):
        raise Timeout("of the job's own")


def test_the_next_job_keeps_the_cache_and_removes_the_workspace_of_one_that_was_killed(tmp_path: Path) -> None:
    with own_slot(tmp_path) as slot:
        (slot / CACHE).mkdir()
        (slot / "study-a-x1y2/repository/.dvc").mkdir(parents=True)
        (slot / "study-a-x1y2/repository/.dvc/config.local").write_text("secret")
    with own_slot(tmp_path) as again:
        assert [each.name for each in again.iterdir()] == [CACHE]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_nobody_else_reads_what_a_job_has_in_its_slot(tmp_path: Path) -> None:
    with own_slot(tmp_path) as slot:
        assert slot.stat().st_mode & 0o077 == 0


class Storage:
    """A remote that has nothing, takes nothing, and lets nobody delete."""

    reached = True

    def set_up(self, _workspace: Path, _cache: Path) -> None:
        if not self.reached:
            raise RuntimeError("no route to host")

    def folder(self, _workspace: Path, *parts: str) -> Storage:
        self.parts = parts
        return self

    def names(self) -> list[str]:
        return []

    def clear(self) -> None:
        raise PermissionError("not yours")


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def told() -> list[Report]:
    """The reports of the job."""
    return []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage, told: list[Report]) -> Callable[[], Outcome]:
    """Runs a job, whose commands do nothing and succeed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "unpack", lambda _bundle, repository: repository.mkdir())
    monkeypatch.setattr(jobs, "data_files", lambda _workspace: [])
    monkeypatch.setattr(jobs, "pack_experiment", lambda _workspace, _name: b"bundle")
    monkeypatch.setattr(jobs._Shell, "run", lambda _shell, *_words: True)
    site = Site("", "0123456789abcdef", storage, {}, 60)  # type: ignore[arg-type]
    return lambda: run_job(Job("study-a", (), ("data/weights/mine.pt",)), [b"weights"], site, told.append)


def test_a_job_has_succeeded_although_its_checkpoints_could_not_be_deleted(
    run: Callable[[], Outcome], storage: Storage, told: list[Report]
) -> None:
    assert run() == Outcome(succeeded=True, experiment=b"bundle")
    assert storage.parts == ("study-a-01234567",)  # another commit's job has a folder of its own
    assert told[0].said.startswith("begins on ")
    assert told[-1].said == "checkpoints could not be deleted: not yours\n"


def test_a_node_that_cannot_begin_a_job_says_so_and_keeps_nothing_of_it(
    run: Callable[[], Outcome], storage: Storage, told: list[Report], tmp_path: Path
) -> None:
    storage.reached = False
    with pytest.raises(NodeError, match="no route to host"):
        run()
    assert "can't begin it: no route to host" in told[-1].said
    assert list((tmp_path / "slot-0").iterdir()) == []


@pytest.mark.parametrize(("failures", "succeeded"), [(1, True), (2, True), (3, False)])
def test_results_are_pushed_again_when_the_remote_was_away_for_a_while(
    run: Callable[[], Outcome], monkeypatch: pytest.MonkeyPatch, failures: int, succeeded: bool
) -> None:
    pauses: list[float] = []
    pushes = iter([False] * failures + [True] * 9)

    def command(shell: jobs._Shell, *words: str) -> bool:
        shell.log.touch()
        return next(pushes) if words[0] == "push" else True

    monkeypatch.setattr(jobs._Shell, "run", command)
    monkeypatch.setattr(jobs, "PAUSES", (10, 60))
    monkeypatch.setattr("time.sleep", pauses.append)
    assert run().succeeded is succeeded
    assert pauses == [10, 60][:failures]


def test_a_failure_without_which_the_training_goes_on_is_told_once(
    run: Callable[[], Outcome], monkeypatch: pytest.MonkeyPatch, told: list[Report]
) -> None:
    def fail() -> None:
        raise OSError("the remote is full")

    def command(shell: jobs._Shell, *_words: str) -> bool:
        for _ in range(3):
            shell.attempt(fail, "a checkpoint could not be copied")
        return True

    monkeypatch.setattr(jobs._Shell, "run", command)
    run()
    assert "".join(each.said for each in told).count("a checkpoint could not be copied: the remote is full\n") == 1
