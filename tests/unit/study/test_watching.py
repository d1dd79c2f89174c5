from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobileyolo.study.watching import Sighting, training_since


def hold(folder: Path, since: float, epochs: tuple[int, ...] = (), backbone: str = "mnv1_n") -> Path:
    """A training as training/checkpoints.py keeps it."""
    training = folder / f"candidate-s0-{backbone}"
    training.mkdir()
    plan = {"arm": "candidate", "backbone": backbone, "seed": 0, "recipe": {"epochs": 40}}
    (training / "holder.json").write_text(json.dumps({"pid": 1, "since": since}))
    (training / "terms.json").write_text(json.dumps({"plan": plan}))
    for epoch in epochs:
        (training / f"epoch-{epoch:05}.pt").touch()
    return training


def test_the_training_that_is_held_last_is_seen_with_its_epoch_and_map(tmp_path: Path) -> None:
    hold(tmp_path, since=10, backbone="mnv1_s")
    results = hold(tmp_path, since=20, epochs=(11, 12)) / "ultralytics/results.csv"
    results.parent.mkdir()
    results.write_text("epoch,  metrics/mAP50-95(B)\n11, 0.2\n12, 0.25\n")
    assert training_since(5, tmp_path) == Sighting("candidate", "mnv1_n", 0, 12, 40, 0.25)


def test_one_that_was_killed_before_is_not_taken_for_one_that_goes_on(tmp_path: Path) -> None:
    hold(tmp_path, since=10, epochs=(3,))
    assert training_since(11, tmp_path) is None


@pytest.mark.parametrize("name", ["holder.json", "terms.json"])
def test_files_that_are_being_written_are_no_error(tmp_path: Path, name: str) -> None:
    (hold(tmp_path, since=10) / name).write_text("{")
    assert training_since(5, tmp_path) is None


def test_before_the_first_epoch_there_is_no_map(tmp_path: Path) -> None:
    hold(tmp_path, since=10)
    assert training_since(5, tmp_path) == Sighting("candidate", "mnv1_n", 0, 0, 40, None)


def test_without_a_training_nothing_is_seen(tmp_path: Path) -> None:
    assert training_since(0, tmp_path / "none") is None
