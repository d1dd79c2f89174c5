"""One thin file a stage, run by DVC as `python -m stages.<name>` from the root of the tree that it belongs to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]

# A queued experiment runs in a tree of its own: its code comes before any installed checkout, for child processes too.
sys.path.insert(0, str(_ROOT / "src"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT / "src"), os.environ.get("PYTHONPATH")]))

from mobileyolo import endings  # noqa: E402 -- needs the path above
from mobileyolo.core import environment  # noqa: E402

sys.excepthook = endings.excepthook  # a stage imports before it calls `run`
_IMPORTS = ExitStack()  # what holds until `run`
if sys.argv[0] == "-m":  # a stage is being started, and not only imported
    _IMPORTS.enter_context(environment.importing())
    environment.end_with_parent()  # before any import that takes time
    endings.leave_when_stopped()
environment.isolate(_ROOT)

from mobileyolo import progress  # noqa: E402 -- after isolate
from mobileyolo.core.config import Params, load_params  # noqa: E402
from mobileyolo.core.declared import declared_parameters  # noqa: E402
from mobileyolo.core.unchanged import check_unchanged, code_digests  # noqa: E402

progress.quiet_libraries()
CODE = code_digests(_ROOT)  # each file as it is imported now


def run(main: Callable[[Params], None]) -> None:
    """Run a stage with the parameters that dvc.yaml declares for it.

    An error that the user can fix ends it with one clear message and exit code 1, Ctrl-C with 130, SIGTERM with 143.
    """
    _IMPORTS.close()
    progress.announce(_ROOT)
    try:
        endings.raise_when_stopped()
        pipeline, stage, before = _ROOT / "dvc.yaml", _stage_name(), load_params()
        main(before.only(declared_parameters(pipeline, stage)))
        check_unchanged(pipeline, stage, (before.values, load_params().values), (CODE, code_digests(_ROOT)))
    except BaseException as error:
        ending = endings.ending(error)
        progress.record_failure(ending.reason if ending else f"{type(error).__name__}: {error}")
        if ending is None:
            raise
        ending.leave(progress.way_back())
    progress.forget_failure()


def _stage_name() -> str:
    """DVC's name for this stage or, run by hand, its module's."""
    return environment.stage_name() or Path(sys.argv[0]).stem
