"""One thin file a stage, run by DVC as `python -m stages.<name>` from the root of the tree that it belongs to."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

_ROOT = Path(__file__).resolve().parents[1]

# A queued experiment runs in a tree of its own: its code comes before any installed checkout, for child processes too.
sys.path.insert(0, str(_ROOT / "src"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT / "src"), os.environ.get("PYTHONPATH")]))

from mobileyolo import endings  # noqa: E402 -- needs the path above
from mobileyolo.core import environment  # noqa: E402

sys.excepthook = endings.excepthook  # a stage imports before it calls `run`
if sys.argv[0] == "-m":  # a stage is being started, and not only imported
    environment.end_with_parent()  # before any import that takes time
    endings.leave_when_stopped()
environment.isolate(_ROOT)

from mobileyolo import progress  # noqa: E402 -- after isolate
from mobileyolo.core.backbones import ARMS, Arm  # noqa: E402
from mobileyolo.core.config import Params, load_params  # noqa: E402
from mobileyolo.core.declared import declared_parameters  # noqa: E402
from mobileyolo.core.errors import StageError  # noqa: E402
from mobileyolo.core.unchanged import check_unchanged, code_digests  # noqa: E402

progress.quiet_libraries()
_CODE = code_digests(_ROOT)  # as it is imported now

Choice = TypeVar("Choice", bound=str)


def run(main: Callable[[Params], None]) -> None:
    """Run a stage with the parameters that dvc.yaml declares for it.

    An error that the user can fix ends it with one clear message and exit code 1, Ctrl-C with 130, SIGTERM with 143.
    """
    progress.announce(_ROOT)
    try:
        endings.raise_when_stopped()
        pipeline, stage, before = _ROOT / "dvc.yaml", _stage_name(), load_params()
        main(before.only(declared_parameters(pipeline, stage)))
        check_unchanged(pipeline, stage, (before.values, load_params().values), (_CODE, code_digests(_ROOT)))
    except BaseException as error:
        ending = endings.ending(error)
        progress.record_failure(ending.reason if ending else f"{type(error).__name__}: {error}")
        if ending is None:
            raise
        ending.leave(progress.way_back())
    progress.forget_failure()


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
    name = environment.stage_name() or ""
    found = re.fullmatch(r"[a-z-]+@(?:[a-z]+-)?(\d+)", name)
    if not found:
        raise StageError(f"DVC_STAGE is {name!r}; run this stage through `dvc repro`, under a name that ends in a seed")
    return int(found[1])


def _stage_name() -> str:
    """DVC's name for this stage or, run by hand, its module's."""
    return environment.stage_name() or Path(sys.argv[0]).stem
