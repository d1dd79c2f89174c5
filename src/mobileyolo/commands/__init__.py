"""The command line, a module a command; each one takes its options apart and calls the library.

A module has SUMMARY, a line for the list of commands, a docstring and EXAMPLES for its own page, `add_arguments`, and
`run`. What takes seconds to import is imported in `run`.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from mobileyolo import __version__
from mobileyolo.core import environment
from mobileyolo.core.errors import UserError

# By name, with the module.
COMMANDS = {
    "show": "show",
    "log": "log",
    "validate": "validate",
    "import": "import_dataset",  # a module can't be called import
    "fetch": "fetch",
    "cost": "cost",
    "export": "export",
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; its namespace has `run` and that command's options."""
    parser = argparse.ArgumentParser(
        prog="mobileyolo",
        description="Is MobileNetV1 a better backbone than the stock one for YOLO11, on your data? `dvc repro` answers "
        "it; these commands do what lies before and after.",
        epilog="mobileyolo COMMAND --help says more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"mobileyolo {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, module_name in COMMANDS.items():
        module = import_module(f"{__name__}.{module_name}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.__doc__,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main() -> None:
    """Parse the command line and run the command; an error that the user can fix ends it with exit code 1."""
    environment.isolate(Path.cwd())
    options = vars(build_parser().parse_args())
    try:
        options.pop("run")(**options)
    except UserError as error:
        sys.exit(f"error: {error}")
