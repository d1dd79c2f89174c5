"""The whole state of Ultralytics' trainer between two epochs, taken and put back, so that training goes on exactly.

Ultralytics' own `resume` (8.4) is not exact: it keeps weights in half precision, the EMA's in place of the model's, and
no random state. Here everything is kept that the next epoch depends on. On a CPU a training that was stopped after any
epoch ends with the weights of one that was not, bit for bit. A GPU adds up in any order, and loader workers draw ahead.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import RandomSampler
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import unwrap_model

State = dict[str, Any]  # tensors, numbers, texts, and lists and dictionaries of them

_TEACHER = "teacher_model."  # its tensors never change


def draws(trainer: DetectionTrainer) -> list[State]:
    """What is random after an epoch, of each process in order: the only one's, or one for each GPU.

    All of them have to call it, because each gets what the others have.
    """
    loader = trainer.train_loader
    mine = {
        "mosaic_buffer": list(loader.dataset.buffer),
        "order": loader.generator.get_state(),
        "random": _random_state(),
    }
    if trainer.world_size < 2:
        return [mine]
    found = [mine] * trainer.world_size
    distributed.all_gather_object(found, mine)
    return found


def capture(trainer: DetectionTrainer, last_step: int, drawn: list[State]) -> State:
    """The state after an epoch.

    Args:
        trainer: that has ended an epoch.
        last_step: number of the batch, over all epochs from 0, after which the optimizer made its last step.
        drawn: what `draws` gave then.
    """
    model = unwrap_model(trainer.model)
    # Gradients that were accumulated since the last step: the next epoch goes on with them.
    gradients = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    return {
        "epoch": trainer.epoch + 1,
        "model": _tensors(model),
        "ema": _tensors(trainer.ema.ema),
        "ema_updates": trainer.ema.updates,
        "optimizer": trainer.optimizer.state_dict(),
        "gradients": gradients,
        "last_step": last_step,
        "best_fitness": float(trainer.best_fitness),
        "stopper": {"best_fitness": float(trainer.stopper.best_fitness), "best_epoch": trainer.stopper.best_epoch},
        "processes": drawn,
    }


def restore(trainer: DetectionTrainer, state: State) -> None:
    """Put back what a trainer holds, once it is set up; the random state is put back by `Continuation`."""
    _load(unwrap_model(trainer.model), state["model"])
    _load(trainer.ema.ema, state["ema"])
    trainer.ema.updates = state["ema_updates"]
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.start_epoch = state["epoch"]
    trainer.best_fitness = state["best_fitness"]
    trainer.stopper.best_fitness = state["stopper"]["best_fitness"]
    trainer.stopper.best_epoch = state["stopper"]["best_epoch"]


@dataclass
class Continuation:
    """What has to happen while Ultralytics' training loop begins with a later epoch than the first.

    Attributes:
        trainer: that goes on.
        state: after the last epoch, as `capture` gave it.
        lag: by how much the loop believes the optimizer's last step to lie back too far. The loop keeps the batch of
            that step in a variable of its own, which begins with -1.
    """

    trainer: DetectionTrainer
    state: State
    lag: int = field(default=0, init=False)
    _close_mosaic: int = field(default=0, init=False)

    def before_loop(self) -> None:
        """On `on_train_start`: the loop has not yet looked at close_mosaic."""
        trainer = self.trainer
        self.lag = self.state["last_step"] + 1
        self._close_mosaic = trainer.args.close_mosaic
        if self._close_mosaic and self._mosaic_ended() < trainer.start_epoch:
            # The loop would close it at its first epoch, and begin with another order of the images.
            trainer._close_dataloader_mosaic()
            trainer.args.close_mosaic = 0  # until the loop has begun

    def before_first_epoch(self) -> None:
        """On the first `on_train_epoch_start`: nothing random happens between this and the first batch."""
        trainer = self.trainer
        trainer.args.close_mosaic = self._close_mosaic
        for name, value in unwrap_model(trainer.model).named_parameters():
            if name in self.state["gradients"]:
                value.grad = self.state["gradients"][name].to(value)
        loader, mine = trainer.train_loader, self.state["processes"][max(RANK, 0)]
        dataset = loader.dataset
        for index in mine["mosaic_buffer"]:
            dataset.load_image(index)
        dataset.buffer = list(mine["mosaic_buffer"])
        closes_now = self._close_mosaic and self._mosaic_ended() == trainer.start_epoch
        if closes_now:  # the loop makes a new iterator, from the present state
            loader.generator.set_state(mine["order"])
        else:
            if RANK >= 0:  # loader workers ask for the order at once, and without a stop have done so an epoch earlier
                loader.sampler.set_epoch(trainer.start_epoch - 1)
            loader.iterator = loader._get_iterator()  # it draws, and without a stop it is there already
            loader.generator.set_state(mine["order"])
            if isinstance(loader.sampler, RandomSampler) and len(dataset) % loader.batch_size == 0:
                # torch's sampler ends an epoch with a draw that it does not use. Where the last batch is a full one,
                # that comes only when the next batch is asked for.
                torch.randperm(len(dataset), generator=loader.generator)
        _set_random_state(mine["random"])

    def _mosaic_ended(self) -> int:
        """The epoch, from 0, with which mosaic is closed."""
        return int(self.trainer.epochs - self._close_mosaic)


def _tensors(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in model.state_dict().items() if not name.startswith(_TEACHER)}


def _load(model: torch.nn.Module, tensors: dict[str, Tensor]) -> None:
    kept = {name: value for name, value in model.state_dict().items() if name.startswith(_TEACHER)}
    model.load_state_dict(kept | tensors)


def _random_state() -> State:
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [str(name), torch.from_numpy(np.array(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def _set_random_state(state: State) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])
