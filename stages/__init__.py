"""One thin file a stage, run by DVC as `python -m stages.<name>` from the root of the tree that it belongs to."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_ROOT = Path(__file__).resolve().parents[1]

# A queued experiment runs in a tree of its own: its code comes before any installed checkout, for child processes too.
sys.path.insert(0, str(_ROOT / "src"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT / "src"), os.environ.get("PYTHONPATH")]))

from mobileyolo import environment  # noqa: E402 -- needs the path above

environment.isolate(_ROOT)

from mobileyolo.config import ARMS, WEIGHTS_KEYS, Arm, Params, Role, load_params  # noqa: E402 -- after isolate
from mobileyolo.errors import StageError, UserError  # noqa: E402

Choice = TypeVar("Choice", bound=str)


def run(main: Callable[[Params], None]) -> None:
    """Run a stage; an error that the user can mend ends it with one clear message and exit code 1."""
    try:
        main(load_params())
    except UserError as error:
        sys.exit(f"error: {error}")


def arm_argument() -> Arm:
    """The arm on the command line.

    Raises:
        StageError: there is none, or an unknown one.
    """
    return _argument(ARMS)


def role_argument() -> Role:
    """What the weights on the command line are for.

    Raises:
        StageError: nothing is said, or an unknown role.
    """
    return _argument(tuple(WEIGHTS_KEYS))


def _argument(choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if sys.argv[1:] == [choice]:
            return choice
    raise StageError(f"usage: {sys.argv[0]} {' | '.join(map(str, choices))}")


def seed_of_stage(params: Params) -> int:
    """The seed in the name that DVC gave this stage (train@candidate-0, teach-candidate@0).

    It is not on the command line, because that is a shell line and a parameter's value must never be part of one.

    Raises:
        StageError: not run by DVC, or the name ends in none of the seeds.
    """
    name = environment.stage_name() or ""
    for seed in params.seeds:
        if re.split("[-@]", name)[-1] == str(seed):
            return seed
    raise StageError(
        f"DVC_STAGE is {name!r}; run this stage through `dvc repro`, under a name that ends in a seed of "
        f"{', '.join(map(str, params.seeds))}"
    )
