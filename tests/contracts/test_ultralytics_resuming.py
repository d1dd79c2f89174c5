"""What training/resuming.py, training/trainer.py and loading.py rely on to go on with a training exactly."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

from tests.contracts.table import contract


@cache
def watched() -> Any:  # noqa: C901 -- a class of small methods
    """A trainer that has trained for two epochs of two batches, and noted in `seen` what it was asked.

    It makes a step of the optimizer after three batches, and says only on_train_start that mosaic ends with epoch 2.
    """
    from mobileyolo.training.trainer import ArmTrainer
    from tests.contracts.recording import train

    class Watched(ArmTrainer):
        seen: list[str]
        iterators: list[Any]

        @property
        def accumulate(self) -> int:
            self.__dict__.setdefault("seen", []).append("accumulate")
            return 3

        @accumulate.setter
        def accumulate(self, batches: int) -> None:
            pass

        def resume_training(self, ckpt: object) -> None:
            super().resume_training(ckpt)
            self.seen, self.iterators = ["resume_training"], []
            self.set_up = (self.ema.updates, self.stopper.best_epoch, self.start_epoch, len(self.optimizer.state))

        def optimizer_step(self) -> None:
            super().optimizer_step()
            self.seen.append("optimizer_step")

        def save_model(self) -> bool:
            self.seen.append("save_model")
            self.fitnesses = (float(self.fitness), float(self.best_fitness))
            return super().save_model()

        def _close_dataloader_mosaic(self) -> None:
            super()._close_dataloader_mosaic()
            self.seen.append("close_mosaic")

        def _begin(self, trainer: Any) -> None:
            self.seen.append("on_train_start")
            self.args.close_mosaic = 1

        def _begin_epoch(self, trainer: Any) -> None:
            self.seen.append("on_train_epoch_start")
            self.iterators.append(self.train_loader.iterator)

        def _count_batch(self, trainer: Any) -> None:
            super()._count_batch(trainer)
            self.seen.append("on_train_batch_start")
            self.iterators.append(self.train_loader.iterator)

        def _record_epoch(self, trainer: Any) -> None:
            super()._record_epoch(trainer)
            self.seen.append("on_fit_epoch_end")

    return train(Watched, batch=1, nbs=1, warmup_epochs=0.0, close_mosaic=2).subject


def seen(*names: str) -> list[str]:
    """What was noted under these names, in order."""
    noted = [name for name in watched().seen if name in names]
    assert set(noted) == set(names)
    return noted


def make_dataset(folder: Path) -> Any:
    """Two images to train on."""
    from mobileyolo.loading import build_dataset
    from tests.miniature import make_data

    data = make_data(folder / "shapes")
    return build_dataset(data["train"], make_settings(), data, batch=2, stride=32, augment=True)


def make_settings() -> Any:
    """Ultralytics' default settings."""
    from ultralytics.cfg import get_cfg

    from tests.miniature import IMGSZ

    return get_cfg(overrides={"task": "detect", "imgsz": IMGSZ})


@contract("BaseTrainer.resume_training")
def test_the_trainer_takes_up_a_state_once_at_the_end_of_its_setup() -> None:
    from mobileyolo.training.trainer import ArmTrainer
    from tests.contracts.recording import train, trained

    assert watched().seen[0] == "resume_training"
    assert watched().set_up == (0, 0, 0, 0)
    order = trained().order
    assert order.count("resume_training") == 1
    assert order.index("resume_training") == order.index("get_validator") + 1

    class Late(ArmTrainer):
        def resume_training(self, ckpt: object) -> None:
            super().resume_training(ckpt)
            self.start_epoch = 1

        def _begin_epoch(self, trainer: Any) -> None:
            self.last_epoch = self.scheduler.last_epoch

    late = train(Late).subject
    assert [row["epoch"] for row in late.history] == [2]
    assert late.last_epoch == 0  # the scheduler's step comes after that


@contract("BaseTrainer.save_model")
def test_the_trainer_saves_once_an_epoch_when_its_fitness_is_known() -> None:
    assert seen("save_model", "on_fit_epoch_end") == ["save_model", "on_fit_epoch_end"] * 2
    fitness, best = watched().fitnesses
    assert 0 <= fitness <= best


@contract("BaseTrainer.optimizer_step")
def test_the_trainer_makes_each_step_by_a_method_after_the_batch() -> None:
    assert seen("on_train_batch_start", "optimizer_step") == [
        *["on_train_batch_start"] * 3,
        "optimizer_step",
        "on_train_batch_start",
    ]
    assert watched().ema.updates == 1


@contract("accumulate")
def test_the_trainer_compares_accumulate_with_the_batches_since_its_step_the_first_time_since_minus_one() -> None:
    # Once before the loop, and once a batch; the step comes after three, though an epoch has two.
    assert seen("on_train_start", "accumulate", "on_train_batch_start", "optimizer_step") == [
        *("accumulate", "on_train_start"),
        *("on_train_batch_start", "accumulate") * 3,
        "optimizer_step",
        *("on_train_batch_start", "accumulate"),
    ]


@contract("on_train_start")
def test_the_trainer_runs_a_callback_before_its_first_epoch() -> None:
    assert seen("resume_training", "on_train_start", "on_train_epoch_start") == [
        *("resume_training", "on_train_start"),
        *("on_train_epoch_start", "on_train_epoch_start"),
    ]


@contract("on_train_epoch_start")
def test_the_trainer_runs_a_callback_before_each_epoch_and_its_mosaic() -> None:
    assert seen("on_train_epoch_start", "close_mosaic", "on_train_batch_start") == [
        *("on_train_epoch_start", "on_train_batch_start", "on_train_batch_start"),
        *("on_train_epoch_start", "close_mosaic", "on_train_batch_start", "on_train_batch_start"),
    ]


@contract("on_train_batch_start")
def test_the_trainer_runs_a_callback_before_each_batch() -> None:
    batch = ["on_train_batch_start"]
    assert seen("on_train_batch_start", "on_fit_epoch_end") == [
        *(batch * 2 + ["on_fit_epoch_end"]),
        *(batch * 2 + ["on_fit_epoch_end"]),
    ]


@contract("_close_dataloader_mosaic")
def test_the_trainer_closes_mosaic_once_by_a_method_and_begins_a_new_iterator() -> None:
    trainer = watched()
    assert trainer.seen.count("close_mosaic") == 1
    # At the start of each epoch and of each of its batches.
    first, second = trainer.iterators[:3], trainer.iterators[3:]
    assert first[1] is first[2] is second[0] is not second[1]
    assert second[1] is second[2]


@contract("args.close_mosaic")
def test_the_trainer_looks_at_close_mosaic_after_on_train_start_and_not_again_if_it_is_0() -> None:
    from mobileyolo.training.trainer import ArmTrainer
    from tests.contracts.recording import train

    assert "close_mosaic" in seen("on_train_start", "close_mosaic", "on_fit_epoch_end")[2:]  # in epoch 2, and not in 1

    class Never(ArmTrainer):
        def _begin(self, trainer: Any) -> None:
            self.args.close_mosaic = 0

        def _begin_epoch(self, trainer: Any) -> None:
            self.args.close_mosaic = 1

    assert train(Never, close_mosaic=1).of("_close_dataloader_mosaic") == []


@contract("_get_iterator")
def test_a_loader_makes_its_iterator_when_it_is_asked_for_and_draws_the_order_from_its_generator() -> None:
    import torch
    from ultralytics.data.build import build_dataloader

    assert watched().iterators[0] is None
    loader = build_dataloader(list(range(7)), batch=1, workers=0, shuffle=True)
    assert loader.iterator is None
    loader.iterator = loader._get_iterator()
    mine = loader.iterator
    loader.generator.manual_seed(5)
    drawn = [[int(batch) for batch in loader] for _ in range(3)]
    assert loader.iterator is mine
    expected = torch.Generator().manual_seed(5)
    permutations = [torch.randperm(7, generator=expected).tolist() for _ in range(5)]
    assert drawn == permutations[::2]  # each second one is not used, see the row torch.randperm


@contract("torch.randperm")
def test_a_sampler_draws_one_order_more_when_it_is_exhausted() -> None:
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    def orders(batch: int) -> int:
        """How many orders of six are drawn for the batches of an epoch."""
        given, expected = (torch.Generator().manual_seed(5) for _ in range(2))
        numbers: Any = range(6)
        loader = DataLoader(numbers, batch_size=batch, sampler=RandomSampler(numbers, generator=given))
        iterator = iter(loader)
        for _ in range(len(loader)):
            next(iterator)
        count = 0
        while not torch.equal(given.get_state(), expected.get_state()):
            torch.randperm(6, generator=expected)
            count += 1
            assert count < 9
        return count

    # Where the last batch is a full one, nobody has asked the sampler for more.
    assert {batch: orders(batch) for batch in (6, 3, 4)} == {6: 1, 3: 1, 4: 2}


@contract("dataset.buffer")
def test_a_dataset_keeps_in_its_buffer_which_images_it_read_last(tmp_path: Path) -> None:
    from ultralytics.data.augment import Mosaic

    dataset = make_dataset(tmp_path)
    assert dataset.buffer == []
    for _ in range(2):
        dataset.load_image(1)
    assert dataset.buffer == [1]
    assert Mosaic(dataset, imgsz=64).get_indexes() == [1, 1, 1]
    dataset.load_image(0)
    assert dataset.buffer == [0]  # of two images, one is kept
    assert [image is None for image in dataset.ims] == [False, True]
    dataset.buffer = [1]
    assert Mosaic(dataset, imgsz=64).get_indexes() == [1, 1, 1]


@contract("YOLODataset.load_image")
def test_a_dataset_reads_each_image_by_a_method(tmp_path: Path) -> None:
    from tests.contracts.recording import trained

    dataset = make_dataset(tmp_path)
    read: list[int] = []
    original = dataset.load_image

    def load(i: int, *given: Any, **named: Any) -> Any:
        read.append(i)
        return original(i, *given, **named)

    dataset.load_image = load
    dataset.close_mosaic(make_settings())
    dataset[1]
    assert read == [1]
    for loader in (trained().subject.train_loader, trained().subject.test_loader):
        assert loader.dataset._as_validated == [True, True]


@contract("YOLODataset.build_transforms")
def test_a_dataset_makes_its_transforms_by_a_method_and_again_when_mosaic_ends(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    made: list[Any] = []
    original = dataset.build_transforms

    def build(hyp: Any = None) -> Any:
        made.append(original(hyp))
        return made[-1]

    dataset.build_transforms = build
    dataset.close_mosaic(make_settings())
    assert made == [dataset.transforms]


@contract("Albumentations.transform")
def test_albumentations_does_and_draws_nothing_without_its_transform(tmp_path: Path) -> None:
    from ultralytics.data.augment import Albumentations

    dataset = make_dataset(tmp_path)
    assert sum(isinstance(each, Albumentations) for each in dataset.transforms.transforms) == 1
    augmentation = Albumentations(p=1.0)
    augmentation.transform = None
    labels, state = {"img": dataset.load_image(0)[0]}, random.getstate()
    assert augmentation(labels) is labels
    assert random.getstate() == state
