"""Import modules, each first in an interpreter of its own: name after name on stdin, a line of JSON back for each.

What was wrong is a traceback, or "" for nothing. On Linux the interpreters are forks of this one, which has the slow
vendors in it, so that a module takes a fraction of a second; elsewhere a fork of them may not live. Ultralytics and
this package are not among them: the order in which those two import each other is what is tested.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

SLOW_VENDORS = (
    "torch",
    "torchvision",
    "cv2",
    "great_expectations",
    "matplotlib.pyplot",
    "mlflow",
    "mlflow.pyfunc",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "scipy.stats",
    "sklearn.model_selection",
)
SOURCE = str(Path(__file__).parents[1] / "src")
UNDER_TEST = ("ultralytics", "mobileyolo")


def in_a_fork(name: str) -> str:
    """What importing a module raises in a copy of this interpreter."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # answers only go there
            try:
                importlib.import_module(name)
            except BaseException:  # noqa: BLE001 -- whatever it is, the test shows it
                said.write(traceback.format_exc())
                said.flush()
            os._exit(0)  # no clean-up of what belongs to the parent
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return said.read() or (f"the interpreter died: {status}" if status else "")


def in_a_new_process(name: str) -> str:
    """What importing a module raises in an interpreter that starts from nothing."""
    script = f"import sys; sys.path.insert(0, {SOURCE!r}); import {name}"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return ended.stderr if ended.returncode else ""


def main() -> None:
    """Answer until stdin ends."""
    answer = in_a_new_process
    if sys.platform == "linux":
        answer = in_a_fork
        for vendor in SLOW_VENDORS:
            importlib.import_module(vendor)
        early = [name for name in UNDER_TEST if name in sys.modules]
        if early:
            raise RuntimeError(f"a vendor imports {early}: take it out of SLOW_VENDORS")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(line.strip())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.path[0] = SOURCE
    main()
