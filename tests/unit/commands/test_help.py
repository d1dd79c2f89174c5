from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from mobileyolo import __version__
from mobileyolo.commands import COMMANDS, build_parser

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def module_of(command: str) -> ModuleType:
    return import_module(f"mobileyolo.commands.{COMMANDS[command]}")


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_s_page_describes_it_with_examples_and_what_to_install(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module, shown = module_of(command), page(capsys, command)
    assert shown.startswith(f"usage: mobileyolo {command} ")
    assert " ".join(str(module.__doc__).split()) in " ".join(shown.split())
    assert module.EXAMPLES in shown
    assert f"pip install 'mobileyolo[{module.EXTRA}]'" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_page_are_commands_that_the_parser_takes(command: str) -> None:
    lines = [line.strip() for line in module_of(command).EXAMPLES.splitlines()[1:]]
    examples = [shlex.split(line[line.index("mobileyolo") :])[1:] for line in lines if "mobileyolo " in line]
    assert examples
    for example in examples:
        assert build_parser().parse_args(example).run is module_of(command).run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_of_a_command_is_explained(command: str) -> None:
    parser = argparse.ArgumentParser()
    module_of(command).add_arguments(parser)
    assert [action.dest for action in parser._actions if not action.help] == []


def test_the_front_page_lists_every_command_and_every_environment_variable(capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(capsys)
    words = " ".join(shown.split())  # a long name has a line of its own
    for command in COMMANDS:
        assert f" {command} {module_of(command).SUMMARY} " in words
    for variable in ("MOBILEYOLO_DEVICE", "MOBILEYOLO_THREADS", "MOBILEYOLO_CACHE", "MLFLOW_TRACKING_URI"):
        assert variable in shown


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["export", "--help"], ["cost", "--classes", "0"]])
def test_the_module_run_by_python_is_the_same_as_the_script(arguments: list[str]) -> None:
    script = "import sys; from mobileyolo.commands import main; sys.exit(main())"  # as pip writes it
    ways = [["-m", "mobileyolo"], ["-c", script]]
    by_module, by_script = (
        subprocess.run([sys.executable, *way, *arguments], cwd=SOURCE, capture_output=True, text=True, check=False)
        for way in ways
    )
    assert by_module.stdout + by_module.stderr
    assert (by_module.returncode, by_module.stdout, by_module.stderr) == (
        by_script.returncode,
        by_script.stdout,
        by_script.stderr,
    )


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"mobileyolo {__version__}\n")
