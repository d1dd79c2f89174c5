"""Printed commands against those who read them: bash, PowerShell's rules, Hydra's parser and DVC."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

from mobileyolo.core.console import harmless
from mobileyolo.core.quoting import literal, option, path_word

PATHS = [
    "/data/helmets",
    "C:/data/helmets",
    "/data/my helmets",
    "/data/安全帽",
    "/data/安全帽\u3000二\u00a0三",
    "/data/hats (1)",
    "/data/hats,v2",
    "/data/[1]{a: b}=c",
    "/data/#1 & <2>; | * ? ~ ^ @",
    "/data/50%PATH% %20",
    "/data/it's",
    """/data/it's "mine", or `yours`""",
    "/data/“smart” ‘quotes’ „too‚",
    "/data/$HOME!",
    "/data/${x}",
    "/data/${data.dir}${",
    "/data/\\${x}\\",
    "C:\\my helmets\\",
    "C:\\the \\'old\\\\' helmets",
    "~/data",
    "$x",
    " led by a space",
    "-S",
    "null",
    "True",
    "1_0",
    "1e3",
    "nan",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize("path", PATHS)
def test_a_pasted_option_sets_the_path_in_bash_and_dvc(path: str, tmp_path: Path) -> None:
    switch, override = bash_words(harmless(option("data.dir", path)))
    assert switch == "-S"
    assert dvc_sets(override, tmp_path) == path


@pytest.mark.parametrize("path", PATHS)
def test_powershell_passes_the_same_words_on(path: str) -> None:
    assert powershell_words(option("data.dir", path)) == ["-S", f"data.dir={literal(path)}"]
    assert powershell_words(f"mobileyolo import voc {path_word(path)}")[3:] in ([path], [f"./{path}"])


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_one_word_in_bash(path: str) -> None:
    (word,) = bash_words(path_word(path))
    assert Path(word) == Path(path)


@pytest.mark.parametrize("value", [True, 0.01, 3, [0, 1], ["none", "1"], "mnv1@0.75", "auto"])
def test_any_value_keeps_its_type(value: object, tmp_path: Path) -> None:
    assert dvc_sets(f"data.dir={literal(value)}", tmp_path) == value


def test_a_path_without_anything_special_is_not_quoted() -> None:
    assert option("data.dir", "/data/helmets-2") == "-S data.dir=/data/helmets-2"
    assert path_word("data/helmets") == "data/helmets"


def bash_words(command: str) -> list[str]:
    """What a program gets of a command that is pasted into bash."""
    shown = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, encoding="utf-8", check=True
    )
    return shown.stdout.split("\0")[:-1]


def powershell_words(command: str) -> list[str]:
    """The same in PowerShell, by its pages about_Parsing and about_Quoting_Rules; what they make special is refused."""
    piece = """"[^"“”„$`]*"|'[^'‘’‚‛]*'"""
    # One quoted piece is a word of its own; all other words begin unquoted, and go on with pieces of any kind.
    word = re.compile(rf'"[^"“”„$`]*"(?= |$)|[A-Za-z0-9_./:+=-](?:[A-Za-z0-9_./:+=-]|{piece})*(?= |$)')
    words, rest = [], command
    while rest:
        found = word.match(rest)
        assert found, rest
        words.append(re.sub(piece, lambda quoted: quoted[0][1:-1], found[0]))
        rest = rest[found.end() :].removeprefix(" ")
    return words


def dvc_sets(override: str, folder: Path) -> object:
    """The data.dir that `dvc exp run -S <override>` leaves in params.yaml."""
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump({"data": {"dir": "/data/${of}/an earlier run"}}), encoding="utf-8")
    (values,) = get_hydra_sweeps(to_path_overrides([override]))  # several would be a sweep
    apply_overrides(params, values["params.yaml"])
    return yaml.safe_load(params.read_text(encoding="utf-8"))["data"]["dir"]
