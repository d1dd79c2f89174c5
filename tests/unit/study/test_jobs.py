from __future__ import annotations

from pathlib import Path

import pytest
from filelock import Timeout

from mobileyolo.study import jobs
from mobileyolo.study.jobs import Job, Outcome, Report, Site, own_cache, run_job


def test_jobs_at_the_same_time_have_a_cache_each_and_the_next_one_gets_the_first_again(tmp_path: Path) -> None:
    with own_cache(tmp_path) as first:
        with own_cache(tmp_path) as second:
            assert second != first
        with own_cache(tmp_path) as third:
            assert third == second
    with own_cache(tmp_path) as fourth:
        assert fourth == first


def test_a_job_that_fails_gives_its_cache_back(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), own_cache(tmp_path) as first:
        raise OSError("full")
    with own_cache(tmp_path) as second:
        assert second == first


def test_a_lock_that_a_job_did_not_get_is_an_error_of_the_job(tmp_path: Path) -> None:
    with pytest.raises(Timeout), own_cache(tmp_path):
        raise Timeout("of the job's own")


class Storage:
    """A remote that has nothing, takes nothing, and lets nobody delete."""

    def set_up(self, _workspace: Path, _cache: Path) -> None: ...

    def folder(self, _workspace: Path, *parts: str) -> Storage:
        self.parts = parts
        return self

    def names(self) -> list[str]:
        return []

    def clear(self) -> None:
        raise PermissionError("not yours")


def test_a_job_has_succeeded_although_its_checkpoints_could_not_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "unpack", lambda _bundle, repository: repository.mkdir())
    monkeypatch.setattr(jobs, "data_files", lambda _workspace: [])
    monkeypatch.setattr(jobs, "pack_experiment", lambda _workspace, _name: b"bundle")
    monkeypatch.setattr(jobs._Shell, "run", lambda _shell, *_words: True)
    told: list[Report] = []
    storage = Storage()
    site = Site("", "0123456789abcdef", storage, {}, 60)  # type: ignore[arg-type]
    outcome = run_job(Job("study-a", (), ("data/weights/mine.pt",)), [b"weights"], site, told.append)
    assert outcome == Outcome(succeeded=True, experiment=b"bundle")
    assert "checkpoints could not be deleted: not yours" in capfd.readouterr().err
    assert storage.parts == ("study-a-01234567",)  # another commit's job has a folder of its own
    assert told[0].said.startswith("begins on ")
