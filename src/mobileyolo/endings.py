"""How a stage or a command ends that can't go on: with one sentence and an exit code, or with a traceback for a bug.

No stage depends on it. It needs no package, because a stage can be stopped while it still imports them.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

from mobileyolo import extras
from mobileyolo.core.console import fail, harmless
from mobileyolo.core.environment import Terminated
from mobileyolo.core.errors import UserError

# What the user can do about an error of the system, by its number; the file that it names comes before.
_REMEDIES = {
    errno.ENOSPC: "no space is left on this disk; free some, then give the same command again",
    errno.EDQUOT: "your quota of this disk is used up; free some space, then give the same command again",
    errno.EROFS: "this disk or folder is read-only; make it writable, then give the same command again",
    errno.EACCES: "permission denied; see who owns it and whether you may read and write it and its folder",
    errno.EPERM: "the system does not permit this; see who owns it, and whether it or its folder is protected",
    errno.ENOENT: "no such file; if something removed it while this ran, give the same command again, else run "
    "dvc repro, which makes it",
}


@dataclass(frozen=True)
class Ending:
    """What is said at an end that is no bug.

    Attributes:
        reason: what was wrong, and what to do about it.
        code: exit code; above 128 it stands for a signal, as in a shell.
    """

    reason: str
    code: int

    def __str__(self) -> str:
        return f"error: {self.reason}" if self.code == 1 else self.reason

    def leave(self, advice: str = "") -> NoReturn:
        """End the process; on the console are the reason and the advice, without control characters."""
        if self.code == 1:
            fail(f"{self}{advice}")
        sys.stderr.write(f"{harmless(f'{self}{advice}')}\n")
        sys.exit(self.code)


# A stop of which nothing more is known; where something is, the error has a note.
_STOPS: dict[int, Ending] = {
    signal.SIGINT: Ending("interrupted; the same command goes on from here", 128 + signal.SIGINT),
    signal.SIGTERM: Ending("stopped by SIGTERM; the same command goes on from here", 128 + signal.SIGTERM),
}


def ending(error: BaseException, needed: str = "pipeline") -> Ending | None:
    """The end that an error makes; None for a bug, which keeps its traceback.

    Args:
        error: what was raised.
        needed: the extra that whoever raised it needs in any case, see `extras.advice`.
    """
    if isinstance(error, Terminated | KeyboardInterrupt):
        stop = _STOPS[signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT]
        return Ending(getattr(error, "__notes__", [stop.reason])[0], stop.code)
    if isinstance(error, UserError):
        return Ending(str(error), 1)
    if isinstance(error, ModuleNotFoundError):
        advice = extras.advice(error.name or "", needed)
        return Ending(advice, 1) if advice else None
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        name = error.filename  # none where a library writes into an open file
        named = f"{_short(os.fsdecode(name))}: " if isinstance(name, str | bytes) else ""
        return Ending(named + _REMEDIES[error.errno], 1)
    return None


def raise_when_stopped() -> None:
    """From now on, Ctrl-C raises KeyboardInterrupt and SIGTERM `Terminated`: what a stage has opened, it closes."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    _handle(stop)


def leave_when_stopped() -> None:
    """End at once on Ctrl-C and SIGTERM: right while packages are imported, which leaves nothing to clean up.

    An exception there would have a traceback of a hundred lines, and makes torch (2.14) abort if it comes while one of
    its C++ parts is being loaded.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        told = _STOPS.get(number, _STOPS[signal.SIGINT])
        sys.stderr.write(f"{told.reason}\n")
        sys.stderr.flush()
        os._exit(told.code)

    _handle(leave)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":  # where a group of processes gets no Ctrl-C, and `mobileyolo study` sends this
        numbers.append(signal.SIGBREAK)
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as for a process in the background
            signal.signal(number, handler)


def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """As Python's own, but an end that is no bug is one sentence and its exit code."""
    told = ending(error)
    if told is None:
        sys.__excepthook__(kind, error, traceback)
        return
    told.leave()


def _short(file: str) -> str:
    """A path below the working directory as it is written there."""
    return file.removeprefix(f"{Path.cwd()}{os.sep}")
