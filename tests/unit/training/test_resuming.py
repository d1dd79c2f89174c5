"""A training that is stopped, in any circumstances and more than once, ends as if it had not been."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path

import filelock
import pandas as pd
import pytest
import torch

from mobileyolo.core.files import ModelFiles
from mobileyolo.core.records import DatasetCard, Split, SplitCount, Teacher
from mobileyolo.core.tables import Manifest
from mobileyolo.models import bridge, weights
from mobileyolo.models.architecture import model_dict
from mobileyolo.training import checkpoints as module
from mobileyolo.training import train as training
from mobileyolo.training.checkpoints import Checkpoints
from mobileyolo.training.parameters import TrainingRecipe
from mobileyolo.training.trainer import ArmModel
from tests.synthetic import write_dataset
from tests.unit.training.test_trainer import make_manifest, make_params, recipe_of

NAMES = ("square", "bar")
EPOCHS = 4
NO_TEACHER = Teacher(name="none")


class Lab:
    """A dataset, and trainings on it in a folder of their own."""

    def __init__(self, root: Path, **engine: str) -> None:
        self.root = root
        self.engine = engine  # what trainings have in it besides what this machine has
        self.manifest: Manifest = make_manifest(root)
        counts: dict[Split, int] = {"train": 10, "val": 4, "test": 4}
        splits = {split: SplitCount(images=count, boxes=2 * count) for split, count in counts.items()}
        self.card = DatasetCard(digest="d" * 64, names=NAMES, splits=splits)
        self.architecture = model_dict("mnv1_n", len(NAMES), bridge.stock_architecture())

    def recipe(self, **train: object) -> TrainingRecipe:
        return recipe_of(make_params(self.root, **{"epochs": EPOCHS, "warmup_epochs": 0.0} | train))

    def checkpoints(self, recipe: TrainingRecipe, teacher: Path | None = None) -> Checkpoints:
        start, _ = weights.start("mnv1_n", self.architecture, weights.Offer())
        taught_by = Teacher(name="a teacher", digest="t" * 64, dis=6.0) if teacher else NO_TEACHER
        planned = training.plan("candidate", 0, recipe, self.card, start, taught_by)
        self.planned = planned.model_copy(update={"engine": planned.engine | self.engine})
        return Checkpoints.of(self.planned, [], [])

    def train(
        self,
        recipe: TrainingRecipe,
        start: weights.Tensors | None = None,
        teacher: Path | None = None,
        stop_after: int | None = None,
    ) -> training.Trained:
        """Train, from the last checkpoint that is there; like Ctrl-C after an epoch, if asked."""
        checkpoints = self.checkpoints(recipe, teacher)
        checkpoints.folder.mkdir(parents=True, exist_ok=True)
        model = ArmModel(self.architecture, start or {}, teacher)

        def on_epoch(epoch: int, _row: dict[str, float]) -> None:
            if epoch == stop_after:
                raise KeyboardInterrupt

        state = checkpoints.latest()
        task = training.Task(self.planned, self.root, self.card, self.manifest, model, checkpoints, state)
        return training.train(task, on_epoch)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(write_dataset(tmp_path_factory.mktemp("data") / "shapes", train=10, val=4, test=4, classes=NAMES))


@pytest.fixture
def teacher(lab: Lab, tmp_path: Path) -> Path:
    """A checkpoint with random weights."""
    torch.manual_seed(7)
    model = bridge.build_model(model_dict("yolo11n", len(NAMES), bridge.stock_architecture()))
    path = tmp_path / "teacher.pt"
    weights.save({"model": model, "train_args": {}, "epoch": 1}, path)
    return path


def in_pieces(
    lab: Lab, folder: Path, stops: tuple[int, ...], recipe: TrainingRecipe, **how: object
) -> training.Trained:
    """Train in a new folder, with a stop after each of these epochs."""
    folder.mkdir()
    os.chdir(folder)
    for stop in stops:
        with pytest.raises(KeyboardInterrupt) as stopped:
            lab.train(recipe, stop_after=stop, **how)  # type: ignore[arg-type]
        told = f"interrupted after epoch {stop} of {recipe.epochs}; run the same command to go on"
        assert stopped.value.__notes__ == [told]
    return lab.train(recipe, **how)  # type: ignore[arg-type]


def assert_equal(first: training.Trained, second: training.Trained, folder: Path) -> None:
    """The same record, history and checkpoint, byte for byte."""
    assert second.record == first.record
    pd.testing.assert_frame_equal(second.history, first.history, check_exact=True)
    assert second.history["epoch"].tolist() == list(range(1, len(first.history) + 1))
    written = []
    for number, trained in enumerate((first, second)):
        os.chdir(folder)
        files = ModelFiles(f"arm{number}", 0)
        trained.write(files)
        written.append(files.weights.read_bytes())
    assert written[0] == written[1]


# Each training takes seconds, so that one shows several things.
CIRCUMSTANCES = {
    "plain": {},
    "mosaic, stopped before it closes, and in warm-up": {"mosaic": 1.0, "close_mosaic": 1, "warmup_epochs": 2.0},
    "mosaic, stopped when it closes": {"mosaic": 1.0, "close_mosaic": 3},
    "mosaic, stopped when it closes, the last batch is a full one": {"batch": 5, "mosaic": 1.0, "close_mosaic": 3},
    "mosaic, stopped after it closed, Ultralytics' optimizer": {"mosaic": 1.0, "close_mosaic": 4, "optimizer": "auto"},
    "mixup, flips and turns": {"mosaic": 0.5, "mixup": 0.5, "fliplr": 0.5, "flipud": 0.5, "degrees": 10.0, "batch": 5},
    "no step in a whole epoch": {"nbs": 32},
    "SGD and a cosine, images as they are": {
        **{"optimizer": "SGD", "cos_lr": True, "lr0": 0.01},
        **{"translate": 0.0, "scale": 0.0},
    },
    "bfloat16, no step at an epoch's end": {"precision": "bf16", "nbs": 20, "warmup_epochs": 1.0},
}


@pytest.mark.parametrize("train", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES)
def test_a_training_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: dict[str, object]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = lab.recipe(**train)
    whole = in_pieces(lab, tmp_path / "whole", (), recipe)
    pieces = in_pieces(lab, tmp_path / "pieces", (1, 3), recipe)
    assert_equal(whole, pieces, tmp_path)
    assert (whole.time.stops, pieces.time.stops) == ((), (1, 3))


def test_so_does_one_that_is_taught(lab: Lab, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = lab.recipe(mosaic=1.0)
    whole = in_pieces(lab, tmp_path / "whole", (), recipe, teacher=teacher)
    pieces = in_pieces(lab, tmp_path / "pieces", (2,), recipe, teacher=teacher)
    assert_equal(whole, pieces, tmp_path)


def test_so_does_one_that_started_from_weights(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    start = {"model.5.cv1.conv.weight": torch.full((128, 256, 1, 1), 0.125)}
    whole = in_pieces(lab, tmp_path / "whole", (), lab.recipe(), start=start)
    pieces = in_pieces(lab, tmp_path / "pieces", (1,), lab.recipe(), start=start)
    assert_equal(whole, pieces, tmp_path)
    assert whole.record.weights_digest != in_pieces(lab, tmp_path / "other", (), lab.recipe()).record.weights_digest


def test_a_stop_after_the_last_epoch_trains_nothing_more(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = in_pieces(lab, tmp_path / "whole", (), lab.recipe())
    pieces = in_pieces(lab, tmp_path / "pieces", (EPOCHS,), lab.recipe())
    assert_equal(whole, pieces, tmp_path)


def test_a_torn_checkpoint_falls_back_to_the_one_before(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = lab.recipe()
    whole = in_pieces(lab, tmp_path / "whole", (), recipe)
    (tmp_path / "pieces").mkdir()
    monkeypatch.chdir(tmp_path / "pieces")
    with pytest.raises(KeyboardInterrupt):
        lab.train(recipe, stop_after=3)
    checkpoints = lab.checkpoints(recipe)
    second, third = sorted(checkpoints.folder.glob("epoch-*.pt"))
    for damage in (lambda content: content[: len(content) // 2], lambda content: content[:-1] + b"?", lambda _: b""):
        content = third.read_bytes()
        third.write_bytes(damage(content))
        state = checkpoints.latest()
        assert state is not None
        assert state["epoch"] == 2
        third.write_bytes(content)
    third.write_bytes(b"")
    pieces = lab.train(recipe)
    assert_equal(whole, pieces, tmp_path)
    second.unlink(missing_ok=True)


def test_only_a_checkpoint_of_the_same_parameters_data_code_and_engine_is_taken(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, start = tmp_path / "code", tmp_path / "start.pt"
    code.mkdir()
    (code / "a.py").write_text("one", encoding="utf-8")
    start.write_bytes(b"one")
    lab.checkpoints(lab.recipe())
    plan = lab.planned

    def folder(changed: dict[str, object] | None = None) -> Path:
        return Checkpoints.of(plan.model_copy(update=changed or {}), [start], [code]).folder

    first = folder()
    assert folder() == first
    engine = {**plan.engine, "torch": "0.1"}
    others = {folder({"seed": 1}), folder({"data_digest": "e" * 64}), folder({"engine": engine})}
    others.add(folder({"recipe": {**plan.recipe, "lr0": 0.5}}))
    (code / "a.py").write_text("two", encoding="utf-8")
    others.add(folder())
    (code / "a.py").write_text("one", encoding="utf-8")
    start.write_bytes(b"two")
    others.add(folder())
    assert len(others | {first}) == 7


def make_checkpoints(lab: Lab, **plan: object) -> Checkpoints:
    lab.checkpoints(lab.recipe())
    return Checkpoints.of(lab.planned.model_copy(update=plan), [], [])


def begun(checkpoints: Checkpoints, epochs: int) -> Checkpoints:
    with checkpoints.held(print):
        for epoch in range(1, epochs + 1):
            checkpoints.save(epoch, {"epoch": epoch})
    return checkpoints


def test_the_last_two_checkpoints_are_kept(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints = begun(make_checkpoints(lab), 5)
    assert [file.name for file in sorted(checkpoints.folder.glob("*.pt"))] == ["epoch-00004.pt", "epoch-00005.pt"]
    assert checkpoints.latest() == {"epoch": 5}


def test_where_it_begins_is_told(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints = make_checkpoints(lab)
    assert checkpoints.told(None) == "candidate, seed 0: from the first epoch"
    assert checkpoints.told({"epoch": 3}) == "candidate, seed 0: goes on after epoch 3 of 4"
    on_a_gpu = make_checkpoints(lab, engine={**lab.planned.engine, "device": "cuda"})
    assert on_a_gpu.told({"epoch": 3}).endswith("of 4; on a GPU not bit for bit as without the stop")


def test_a_checkpoint_of_another_engine_is_left_alone_and_that_is_told(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun(make_checkpoints(lab, engine={"threads": "2"}, recipe_digest="a"), 3)
    begun(make_checkpoints(lab, engine={"threads": "2"}, data_digest="e" * 64), 2)
    mine = make_checkpoints(lab, engine={"threads": "1"}, recipe_digest="b")
    assert mine.told(mine.latest()) == (
        "candidate, seed 0: from the first epoch; one that stopped after epoch 3 had another engine, and is left: "
        "threads 2, now 1"
    )


def test_trainings_that_have_finished_or_are_outdated_are_removed_and_others_are_not(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished, outdated, empty, stopped, mine = (make_checkpoints(lab, seed=seed) for seed in range(5))
    files = ModelFiles("candidate", 0)
    for file in files.trained:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"trained")
    for each, epochs in ((finished, 2), (outdated, 2), (empty, 0), (stopped, 2), (mine, 2)):
        begun(each, epochs)
    finished.finish(files)
    long_ago = time.time() - module.OUTDATED - 60
    os.utime(outdated.folder, (long_ago, long_ago))
    mine.tidy()
    assert [each.folder.exists() for each in (finished, outdated, empty, stopped, mine)] == [False] * 3 + [True] * 2


def test_a_finished_training_gives_its_files_again(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill between the end of the training and DVC's taking of its outputs."""
    monkeypatch.chdir(tmp_path)
    files = ModelFiles("candidate", 0)
    checkpoints = begun(make_checkpoints(lab), 2)
    assert not checkpoints.restore(files)
    for file in files.trained:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name, encoding="utf-8")
    checkpoints.finish(files)
    assert not list(checkpoints.folder.glob("*.pt"))
    for file in files.trained:
        file.unlink()
    assert checkpoints.restore(files)
    assert [file.read_text(encoding="utf-8") for file in files.trained] == [file.name for file in files.trained]


def hold(folder: Path, held: object, release: object) -> None:
    checkpoints = Checkpoints(folder, {}, "a training")
    with checkpoints.held(print):
        held.set()  # type: ignore[attr-defined]
        release.wait(60)  # type: ignore[attr-defined]


@pytest.mark.parametrize("ends", ["by itself", "killed"])
def test_a_second_process_waits_for_the_first_and_says_for_whom(tmp_path: Path, ends: str) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    first = context.Process(target=hold, args=(tmp_path / "training", held, release))
    first.start()
    assert held.wait(60)
    checkpoints, told = Checkpoints(tmp_path / "training", {}, "candidate, seed 0"), []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if ends == "killed":
            first.kill()
        else:
            release.set()

    with checkpoints.held(tell):
        assert json.loads((checkpoints.folder / "holder.json").read_text(encoding="utf-8"))["pid"] == os.getpid()
    first.join()
    assert told == [
        f"candidate, seed 0: process {first.pid} (since 0 minutes) trains this model already; waiting for it"
    ]
    with filelock.FileLock(checkpoints.folder / "lock").acquire(blocking=False):
        pass
