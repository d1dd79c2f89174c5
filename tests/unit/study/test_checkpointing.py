from __future__ import annotations

from pathlib import Path

import pytest
from dvc.fs import LocalFileSystem

from mobileyolo.core.trainings import KEPT
from mobileyolo.experiments import RemoteFolder
from mobileyolo.study.checkpointing import RETRY, Copies


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    """Of a job whose remote is a folder that is not there yet."""
    (tmp_path / "trainings").mkdir()
    return Copies(RemoteFolder(LocalFileSystem(), str(tmp_path / "remote/job")), tmp_path / "trainings", every=60)


def end_epoch(copies: Copies, epoch: int, training: str = "candidate-s0-1") -> None:
    """As training/checkpoints.py does: a file appears under its name, and the one before the last disappears."""
    folder = copies.trainings / training
    folder.mkdir(exist_ok=True)
    (folder / f"epoch-{epoch:05}.pt").write_text(f"{training} {epoch}")
    (folder / f"epoch-{epoch - 2:05}.pt").unlink(missing_ok=True)


def on_another_node(copies: Copies, tmp_path: Path) -> Path:
    """The folder of trainings of a node that takes the job over."""
    other = Copies(copies.remote, tmp_path / "elsewhere", every=60)
    other.fetch()
    return other.trainings


def test_another_node_gets_the_newest_checkpoints(copies: Copies, tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        end_epoch(copies, epoch)
        copies.keep(now=60.0 * epoch)
    folder = on_another_node(copies, tmp_path) / "candidate-s0-1"
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-00002.pt", "epoch-00003.pt"]
    assert (folder / "epoch-00003.pt").read_text() == "candidate-s0-1 3"


def test_a_copy_is_not_made_more_often_than_wanted(copies: Copies) -> None:
    end_epoch(copies, 1)
    copies.keep(now=100)
    end_epoch(copies, 2)
    copies.keep(now=159)
    assert copies.remote.names() == ["candidate-s0-1/epoch-00001.pt"]
    copies.keep(now=160)
    assert copies.remote.names() == ["candidate-s0-1/epoch-00001.pt", "candidate-s0-1/epoch-00002.pt"]


def test_a_copy_that_failed_is_tried_again_a_while_later_and_not_each_second(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def full(_remote: RemoteFolder, _file: Path, name: str) -> None:
        tried.append(name)
        raise OSError("no space left")

    copies.every = 0
    end_epoch(copies, 1)
    with monkeypatch.context() as patch:
        patch.setattr(RemoteFolder, "upload", full)
        with pytest.raises(OSError, match="no space left"):
            copies.keep(now=100)
        copies.keep(now=101)
        assert len(tried) == 1
    copies.keep(now=100 + RETRY)
    assert copies.remote.names() == ["candidate-s0-1/epoch-00001.pt"]


def test_a_training_is_copied_at_once_however_short_a_time_ago_another_one_of_its_job_was(copies: Copies) -> None:
    end_epoch(copies, 1)
    copies.keep(now=100)
    end_epoch(copies, 1, "candidate-s1-1")
    copies.keep(now=101)
    assert copies.remote.names() == ["candidate-s0-1/epoch-00001.pt", "candidate-s1-1/epoch-00001.pt"]


def test_a_checkpoint_that_is_replaced_while_another_node_fetches_is_left_out(
    copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for epoch in (1, 2):
        end_epoch(copies, epoch)
        copies.keep(now=60.0 * epoch)
    listed = RemoteFolder.names(copies.remote)
    copies.remote.remove(listed[0])
    monkeypatch.setattr(RemoteFolder, "names", lambda _remote: listed)
    other = Copies(copies.remote, tmp_path / "elsewhere", every=60)
    other.fetch()
    assert other.copied == listed[1:]


def test_before_the_first_checkpoint_there_is_nothing_to_get(copies: Copies, tmp_path: Path) -> None:
    copies.keep(now=0)
    assert not on_another_node(copies, tmp_path).exists()


def test_of_each_training_the_last_checkpoints_are_kept(copies: Copies) -> None:
    for epoch in (1, 2, 3, 4):
        end_epoch(copies, epoch)
        end_epoch(copies, epoch, "candidate-s1-1")
        copies.keep(now=60.0 * epoch)
    assert len(copies.remote.names()) == 2 * KEPT
    assert "candidate-s1-1/epoch-00004.pt" in copies.remote.names()


def test_the_node_that_goes_on_copies_what_it_adds_and_no_more(copies: Copies, tmp_path: Path) -> None:
    for epoch in (1, 2):
        end_epoch(copies, epoch)
        copies.keep(now=60.0 * epoch)
    other = Copies(copies.remote, tmp_path / "elsewhere", every=0)
    other.fetch()
    (tmp_path / "remote/job/candidate-s0-1/epoch-00002.pt").write_text("as it was left")
    other.keep(now=0)
    assert (tmp_path / "remote/job/candidate-s0-1/epoch-00002.pt").read_text() == "as it was left"
    end_epoch(other, 3)
    other.keep(now=0)
    assert other.remote.names() == ["candidate-s0-1/epoch-00002.pt", "candidate-s0-1/epoch-00003.pt"]


def test_when_the_job_has_ended_the_remote_keeps_none(copies: Copies) -> None:
    end_epoch(copies, 1)
    copies.keep(now=0)
    copies.forget()
    assert copies.remote.names() == []
    copies.forget()  # of a job without a training


def test_no_empty_folder_stays_on_the_remote(copies: Copies, tmp_path: Path) -> None:
    end_epoch(copies, 1)
    copies.keep(now=0)
    copies.forget()
    assert not (tmp_path / "remote/job").exists()
