"""The command line, a module a command; each one takes its options apart and calls the library.

A module has SUMMARY, a line for the list of commands; a docstring and EXAMPLES for its own page; EXTRA, the extra that
it needs; `add_arguments` and `run`. It imports in `run` what takes long or belongs to an extra, so that every page of
help is there at once.
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
from importlib import import_module
from pathlib import Path

from mobileyolo import endings
from mobileyolo.core import environment
from mobileyolo.version import __version__

__all__ = ["COMMANDS", "build_parser", "main"]

# By name, with the module; in the order in which one needs them.
COMMANDS = {
    "import": "import_dataset",  # a module can't be called import
    "validate": "validate",
    "fetch": "fetch",
    "cost": "cost",
    "show": "show",
    "study": "study",
    "leaderboard": "leaderboard",
    "confirm": "confirm",
    "export": "export",
    "log": "log",
    "doctor": "doctor",
}

DESCRIPTION = """Is MobileNetV1 a better backbone than the stock one for YOLO11, on your data?

`dvc repro`, in a checkout of this project, trains and compares both. These commands do what lies before and after:
import, validate, cost and leaderboard work anywhere, the others in the checkout.
"""
EPILOG = """`mobileyolo COMMAND --help` says more about a command.

environment variables:
  MOBILEYOLO_DEVICE    cpu, mps, or the number of a GPU or several: 0,1 (default: the first GPU, else the CPU)
  MOBILEYOLO_THREADS   CPU threads (default: all that this process may use)
  MOBILEYOLO_WORKERS   processes that read images for a GPU
  MOBILEYOLO_CACHE     folder that remembers what was read of datasets (default: your cache folder)
  MLFLOW_TRACKING_URI  MLflow's server (default: mlflow.db in this folder)

exit codes:
  0    done
  1    an error, which says what to do about it
  2    wrong options
  130  Ctrl-C
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; its namespace has `run`, `extra` and that command's options."""
    parser = argparse.ArgumentParser(
        prog="mobileyolo",
        description=_filled(DESCRIPTION),
        epilog=_filled(EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mobileyolo {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, module_name in COMMANDS.items():
        module = import_module(f"{__name__}.{module_name}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=_filled(module.__doc__ or ""),
            epilog=f"{module.EXAMPLES}\nIt needs more than the drop-in: pip install 'mobileyolo[{module.EXTRA}]'",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, extra=module.EXTRA)
    return parser


def main() -> None:
    """Parse the command line and run the command; what the user can fix ends it with exit code 1, Ctrl-C with 130."""
    environment.isolate(Path.cwd())
    options = vars(build_parser().parse_args())
    run, extra = options.pop("run"), options.pop("extra")
    try:
        run(**options)
    except BaseException as error:
        ending = endings.ending(error, extra)
        if ending is None:
            raise
        ending.leave()


def _filled(text: str) -> str:
    """Paragraphs filled to the terminal's width; those with indented lines stay as they are."""
    width = shutil.get_terminal_size().columns - 2  # as argparse does
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(
        each if "\n  " in each else textwrap.fill(each, width, break_on_hyphens=False) for each in paragraphs
    )
