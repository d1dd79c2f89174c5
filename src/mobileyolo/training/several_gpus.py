"""One training on several GPUs: a process for each of them, which Ultralytics' trainer keeps in step.

Ultralytics (8.4) would start them with a script that makes a trainer from its settings alone. Ours also has the
manifest, the arm's model and a checkpoint. Ultralytics is not imported at the top: on its import it reads which process
it is in.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Protocol

from torch import multiprocessing
from torch.multiprocessing.spawn import ProcessException, start_processes

from mobileyolo.core import environment
from mobileyolo.core.errors import TrainingError, UserError

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

    from mobileyolo.training.trainer import EpochListener

    Told = SimpleQueue[tuple[int, dict[str, float]] | UserError]  # an epoch and its values, or an error

POLL = 0.5  # seconds between two looks at what the processes have told
_HERE = "127.0.0.1"


class Task(Protocol):
    """What each process does; it can be pickled."""

    def run(self, on_epoch: EpochListener) -> object:
        """Train to the end; the listener is called after each epoch."""


def train(task: Task, gpus: int, on_epoch: EpochListener) -> None:
    """Run a task in one process for each GPU; all of them end if one of them fails.

    Args:
        task: the task.
        gpus: how many.
        on_epoch: called here with what the first process gives to its listener.

    Raises:
        TrainingError: a process has failed.
        UserError: what a process has raised of this kind.
    """
    from ultralytics.utils.dist import find_free_network_port

    told: Told = multiprocessing.get_context("spawn").SimpleQueue()
    arguments = (gpus, find_free_network_port(), pickle.dumps(task), told)
    how = {"nprocs": gpus, "join": False, "start_method": "spawn"}
    processes = start_processes(run_one, arguments, **how)  # type: ignore[no-untyped-call]
    try:
        while not processes.join(POLL):
            _listen(told, on_epoch)
        _listen(told, on_epoch)
    except ProcessException as error:
        _listen(told, on_epoch)
        raise TrainingError(f"the process of GPU {error.error_index} of {gpus} has failed: {error}") from None
    finally:
        for process in processes.processes:
            process.terminate()
        for process in processes.processes:
            process.join()


def run_one(number: int, gpus: int, port: int, task: bytes, told: Told) -> None:
    """What the process of one GPU does.

    Args:
        number: of the GPU, from 0.
        gpus: how many.
        port: where the processes find each other.
        task: a pickled `Task`.
        told: takes epochs, from the first process alone, and an error.
    """
    environment.end_with_parent()
    variables = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": gpus, "MASTER_ADDR": _HERE, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        pickle.loads(task).run(  # noqa: S301 -- from the process that started this one
            lambda epoch, row: told.put((epoch, row))
        )
    except UserError as error:
        told.put(error)
        raise
    except KeyboardInterrupt:  # torch would take this for a good end
        raise SystemExit(130) from None


def _listen(told: Told, on_epoch: EpochListener) -> None:
    while not told.empty():
        what = told.get()
        if isinstance(what, UserError):
            raise what
        on_epoch(*what)
