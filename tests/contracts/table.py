"""docs/reference/hooks.md as data, and what makes a test the contract of one of its rows."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import ParamSpec

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/reference/hooks.md"
PACKAGES = {
    "Ultralytics": "ultralytics",
    "Great Expectations": "great-expectations",
    "MLflow": "mlflow",
    "DVC": "dvc",
    "PyTorch": "torch",
    "joblib": "joblib",
    "timm": "timm",
    "OpenVINO": "openvino",
    "ONNX Runtime": "onnxruntime",
}
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class Hook:
    """A row of the table.

    Attributes:
        vendor: a key of PACKAGES.
        written_for: the vendor's version that the row was written for.
        name: what is used of it.
        promise: what the vendor does; the rest of a sentence that begins with its name.
        file: of ours, from the root of the repository.
        why: what we need it for.
        otherwise: what happens if it changes.
    """

    vendor: str
    written_for: str
    name: str
    promise: str
    file: Path
    why: str
    otherwise: str

    def broken(self) -> str:
        """What to say of a vendor that has changed."""
        return f"{self.vendor} {version(PACKAGES[self.vendor])} no longer {self.promise}; see {self.file.as_posix()}"


class HookChangedError(AssertionError):
    """A vendor no longer does what a row of the table says."""


@cache
def hooks() -> dict[str, Hook]:
    """The rows by hook."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]  # below the table's head
    found = {}
    for vendor, name, promise, file, why, otherwise in rows:
        package, _, written_for = vendor.rpartition(" ")
        hook = Hook(
            package, written_for, name.strip("`"), promise, Path("src/mobileyolo", file.strip("`")), why, otherwise
        )
        if hook.name in found:
            raise ValueError(f"{TABLE.name}: {hook.name} has two rows")
        found[hook.name] = hook
    return found


def contract(name: str) -> Callable[[Callable[Arguments, None]], Callable[Arguments, None]]:
    """Make a test the contract of one hook: whatever goes wrong in it is told in the row's words.

    A test imports the vendor in its body, so that a name that is gone is told like that, too.

    Args:
        name: the hook, as in the table.
    """

    def decorate(test: Callable[Arguments, None]) -> Callable[Arguments, None]:
        @pytest.mark.contract
        @functools.wraps(test)
        def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
            try:
                test(*args, **kwargs)
            # A vendor that has changed makes a test raise anything; pytest's own failure is no Exception.
            except (Exception, pytest.fail.Exception) as error:
                # The reason tells one hook that is gone from many tests that need it.
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                raise HookChangedError(f"{hooks()[name].broken()} ({reason})") from error

        vars(checked)["hook"] = name
        return checked

    return decorate


def locked_version(package: str) -> str:
    """The version of a package in requirements.lock."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==([^ ;]+)", text, re.MULTILINE)
    if not found:
        raise LookupError(f"requirements.lock has no {package}")
    return found[1]
