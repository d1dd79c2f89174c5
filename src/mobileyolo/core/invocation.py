"""How DVC has called a stage: the word on its command line, and the seed in its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TypeVar

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.environment import stage_name
from mobileyolo.core.errors import StageError

Choice = TypeVar("Choice", bound=str)


def arm_argument() -> Arm:
    """The arm on the command line.

    Raises:
        StageError: there is none, or an unknown one.
    """
    return argument(ARMS)


def argument(choices: Iterable[Choice]) -> Choice:
    """The one word on the command line.

    Raises:
        StageError: there is none, or it is none of the choices.
    """
    choices = list(choices)
    for choice in choices:
        if sys.argv[1:] == [choice]:
            return choice
    raise StageError(f"usage: {sys.argv[0]} {' | '.join(choices)}")


def seed_of_stage() -> int:
    """The seed in the name that DVC gave this stage (train@candidate-0, teach-candidate@0).

    It is not on the command line, because that is a shell line and a parameter's value must never be part of one.

    Raises:
        StageError: not run by DVC, or the name ends in no seed.
    """
    name = stage_name() or ""
    found = re.fullmatch(r"[a-z-]+@(?:[a-z]+-)?(\d+)", name)
    if not found:
        raise StageError(f"DVC_STAGE is {name!r}; run this stage through `dvc repro`, under a name that ends in a seed")
    return int(found[1])
