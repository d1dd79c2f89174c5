"""A training on several GPUs, as far as CPUs can show it: two processes, in step by gloo in place of NCCL."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mobileyolo.core.errors import DatasetError, TrainingError
from mobileyolo.models import bridge
from mobileyolo.training import several_gpus
from tests.synthetic import write_dataset
from tests.unit.training.gloo import OnGloo
from tests.unit.training.test_resuming import NAMES, Lab, assert_equal, in_pieces

ROOT = Path(__file__).parents[3]
train_on_gpus = several_gpus.train
RECIPE = {"epochs": 3, "mosaic": 0.5, "nbs": 12, "warmup_epochs": 1.0}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "shapes", train=10, val=4, test=4, classes=NAMES)


@pytest.fixture(scope="module")
def pair(dataset: Path) -> Lab:
    """Trainings on two GPUs."""
    return Lab(dataset, gpus="2")


class Begin:
    """Takes the place of `several_gpus.train`: gloo is in place of NCCL."""

    def __init__(self, **circumstances: Any) -> None:
        self.circumstances = circumstances
        self.begun = 0

    def __call__(self, train: Any, gpus: int, on_epoch: Any) -> None:
        self.begun += 1
        train_on_gpus(OnGloo(train, **self.circumstances), gpus, on_epoch)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Begin:
    monkeypatch.chdir(tmp_path)
    begin = Begin()
    monkeypatch.setattr(several_gpus, "train", begin)
    return begin


def assert_none_left() -> None:
    """No process that was begun for a GPU is there any more."""
    assert multiprocessing.active_children() == []


def test_two_processes_train_one_model_and_go_on_after_a_stop_bit_for_bit(
    pair: Lab, begin: Begin, tmp_path: Path
) -> None:
    recipe = pair.recipe(**RECIPE)
    whole = in_pieces(pair, tmp_path / "whole", (), recipe)
    begin.circumstances["waits_after"] = 1
    pieces = in_pieces(pair, tmp_path / "pieces", (1,), recipe)
    assert begin.begun == 3
    assert_equal(whole, pieces, tmp_path)
    assert (whole.record.engine["gpus"], pieces.time.stops) == ("2", (1,))
    assert_none_left()


def test_their_losses_are_those_of_one_process_with_the_same_weights(
    pair: Lab, dataset: Path, begin: Begin, tmp_path: Path
) -> None:
    """Weights that a step hardly changes. Ultralytics adds a batch's losses up, and a process has half of each batch.

    Its batch norms also see that half alone, so that the losses of the training differ a little.
    """
    recipe = pair.recipe(epochs=1, lr0=1e-9, optimizer="SGD", warmup_epochs=0.0, mosaic=0.0)
    start = bridge.build_model(pair.architecture).state_dict()
    two, one = (
        in_pieces(lab, tmp_path / f"{number}", (), recipe, start=start)
        for number, lab in enumerate((pair, Lab(dataset)))
    )
    assert begin.begun == 1
    for loss, tolerance in (("val_cls_loss", 0.02), ("train_cls_loss", 0.2)):
        assert 2 * two.history[loss][0] == pytest.approx(one.history[loss][0], rel=tolerance)


def test_an_error_of_a_process_is_the_error_of_the_training(pair: Lab, dataset: Path, begin: Begin) -> None:
    begin.circumstances["touches"] = dataset / "val/images/001.png"
    with pytest.raises(DatasetError, match=r"val.images.001\.png: gone or changed since the dataset was validated"):
        pair.train(pair.recipe(**RECIPE))
    assert_none_left()


def test_a_process_that_is_lost_ends_all_of_them(pair: Lab, begin: Begin, tmp_path: Path) -> None:
    begin.circumstances["dies"] = 1
    with pytest.raises(TrainingError, match="process 2 of 2 has failed"):
        pair.train(pair.recipe(**RECIPE))
    assert not list(tmp_path.rglob("epoch-*.pt"))
    assert_none_left()


def test_a_stop_while_they_are_begun_ends_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    def begin_one(*_arguments: object, **_how: object) -> None:
        started.append(multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,)))
        started[0].start()
        raise KeyboardInterrupt

    monkeypatch.setattr(several_gpus, "start_processes", begin_one)
    with pytest.raises(KeyboardInterrupt):
        several_gpus.train(print, 2, print)
    assert_none_left()
    assert started[0].exitcode != 0


def test_they_end_when_the_process_that_began_them_is_killed() -> None:
    script = "from mobileyolo.training import several_gpus; from tests.unit.training.gloo import wait"
    script += "\nif __name__ == '__main__': several_gpus.train(wait, 2, print)"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        begun = [psutil.Process(int(parent.stdout.readline().split()[1])) for _ in range(2)]
        parent.kill()
    assert psutil.wait_procs(begun, timeout=60)[1] == []
