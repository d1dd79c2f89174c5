"""One training on several GPUs: a process for each of them, which Ultralytics' trainer keeps in step.

Ultralytics (8.4) would start them with a script that makes a trainer from its settings alone. Ours also has the
manifest, the arm's model and a checkpoint. Ultralytics is not imported at the top: on its import it reads which process
it is in.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import distributed, multiprocessing
from torch.multiprocessing.spawn import ProcessException, start_processes

from mobileyolo.core.errors import TrainingError, UserError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from multiprocessing.queues import SimpleQueue

    from mobileyolo.training.trainer import EpochListener

    Told = SimpleQueue[tuple[int, dict[str, float]] | UserError]  # an epoch and its values, or an error

POLL = 0.5  # seconds between two looks at what the processes have told
PATIENCE = 30.0  # seconds until a process that was asked to end is killed
_HERE = "127.0.0.1"


def train(run: Callable[[EpochListener], object], gpus: int, on_epoch: EpochListener) -> None:
    """Train in one process for each GPU; all of them end if one of them fails, or if this one is stopped.

    Args:
        run: what each process does; it can be pickled.
        gpus: how many.
        on_epoch: called here with what the first process gives to its listener.

    Raises:
        TrainingError: a process has failed; its traceback is on stderr.
        UserError: what a process has raised of this kind.
    """
    from ultralytics.utils.dist import find_free_network_port

    told: Told = multiprocessing.get_context("spawn").SimpleQueue()
    arguments = (gpus, find_free_network_port(), pickle.dumps(run), told)
    how = {"nprocs": gpus, "join": False, "start_method": "spawn"}
    try:
        processes = start_processes(run_one, arguments, **how)  # type: ignore[no-untyped-call]
        while not processes.join(POLL):
            _listen(told, on_epoch)
        _listen(told, on_epoch)
    except ProcessException as error:
        _listen(told, on_epoch)
        sys.stderr.write(f"{error}\n")
        reason = str(error).strip().splitlines()[-1]
        raise TrainingError(f"process {error.error_index + 1} of {gpus} has failed: {reason}") from None
    finally:
        _end(multiprocessing.active_children())


def run_one(number: int, gpus: int, port: int, run: bytes, told: Told) -> None:
    """What the process of one GPU does.

    Args:
        number: of the process, from 0.
        gpus: how many there are.
        port: where the processes find each other.
        run: pickled, see `train`.
        told: takes epochs, from the first process alone, and an error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that started this one, which ends it
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if "ultralytics" in sys.modules:
        raise RuntimeError("Ultralytics was imported before this process knew which one it is")
    variables = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": gpus, "MASTER_ADDR": _HERE, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        pickle.loads(run)(lambda epoch, row: told.put((epoch, row)))  # noqa: S301 -- from the process that started this one
    except UserError as error:
        told.put(error)
        raise
    except torch.OutOfMemoryError:
        told.put(TrainingError(f"out of memory on {gpus} GPUs; lower train.batch for both arms"))
        raise
    distributed.destroy_process_group()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        process.kill()
        process.join()


def _listen(told: Told, on_epoch: EpochListener) -> None:
    while not told.empty():
        what = told.get()
        if isinstance(what, UserError):
            raise what
        on_epoch(*what)
