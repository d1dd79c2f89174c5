"""A training on several GPUs, but on CPUs: two processes that gloo keeps in step, in Ultralytics' own code for GPUs.

Nothing here is imported before a process knows which one it is, see `several_gpus`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Listener = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class OnGloo:
    """What a process does that takes a CPU for its GPU.

    Attributes:
        train: what it would do with a GPU.
        dies: the process that ends before its first step, as if it had been killed.
        waits_after: the epoch after which the first process waits until it is stopped.
        touches: a file that is written to after each epoch.
    """

    train: Callable[[Listener], object]
    dies: int | None = None
    waits_after: int | None = None
    touches: Path | None = None

    def __call__(self, on_epoch: Listener) -> object:
        """Train as on GPUs."""
        from torch import distributed, nn
        from ultralytics.engine.trainer import BaseTrainer
        from ultralytics.utils import RANK

        begin, parallel = BaseTrainer.__init__, nn.parallel.DistributedDataParallel

        def init(trainer: Any, *args: Any, **settings: Any) -> None:
            begin(trainer, *args, **settings)
            trainer.world_size = 2

        class Parallel(parallel):  # type: ignore[misc,valid-type]
            def __init__(self, module: nn.Module, device_ids: object, **settings: Any) -> None:
                super().__init__(module, **settings)

        def step(trainer: Any) -> None:
            if self.dies == RANK:
                os._exit(9)
            make_step(trainer)

        def tell(epoch: int, row: dict[str, float]) -> None:
            on_epoch(epoch, row)
            if self.touches:
                os.utime(self.touches)
            if epoch == self.waits_after:
                time.sleep(600)

        make_step = BaseTrainer.optimizer_step
        BaseTrainer.__init__ = init
        BaseTrainer._setup_ddp = lambda _: distributed.init_process_group("gloo", rank=RANK, world_size=2)
        BaseTrainer.optimizer_step = step
        nn.parallel.DistributedDataParallel = Parallel  # type: ignore[assignment,misc]
        return self.train(tell)


def wait(_on_epoch: Listener) -> None:
    """What a process does that trains nothing: it tells its number, and waits to be stopped."""
    sys.stdout.write(f"begun {os.getpid()}\n")
    sys.stdout.flush()
    time.sleep(600)
