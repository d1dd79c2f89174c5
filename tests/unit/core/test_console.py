"""Names from elsewhere reach no terminal and no CSV as they are."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

from mobileyolo import commands, progress
from mobileyolo.commands import show
from mobileyolo.core.console import say
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import write_table
from mobileyolo.tracking.store_errors import StoreErrorsAsWarnings
from stages import run

EVIL = "cell\x1b[2J\x9b31m\r\u202egnp"
HARMLESS = r"cell\x1b[2J\x9b31m\r\u202egnp"


def test_what_is_said_keeps_its_lines_and_its_letters(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{EVIL}\n安全帽 كتاب می\u200cخواهم")
    assert capsys.readouterr().out == f"{HARMLESS}\n安全帽 كتاب می\u200cخواهم\n"


def raising(*_args: object, **_kwargs: object) -> None:
    raise UserError(f"{EVIL}: no such class")


def test_a_stage_fails_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.load_params", raising)
    with pytest.raises(SystemExit) as ended:
        run(raising)
    assert str(ended.value).startswith(f"error: {HARMLESS}: no such class")
    say(progress.last_failure())
    assert "\x1b" not in capsys.readouterr().out


def test_a_command_fails_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "run", raising)
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "show"])
    monkeypatch.setattr("mobileyolo.core.environment.isolate", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert str(ended.value) == f"error: {HARMLESS}: no such class"


def test_a_warning_of_the_store_has_none() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        StoreErrorsAsWarnings()._warn(EVIL)
    assert [str(each.message) for each in caught] == [HARMLESS]


def test_a_csv_holds_none_and_parquet_holds_what_it_was_given(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": [EVIL, "two\nlines", None], "line": pd.array([1, None, 3], dtype="Int64")})
    write_table(tmp_path / "table.csv", table)
    written = (tmp_path / "table.csv").read_bytes().decode()
    assert written == f"name,line\n{HARMLESS},1\ntwo\\nlines,\n,3\n"
    write_table(tmp_path / "table.parquet", table)
    assert pd.read_parquet(tmp_path / "table.parquet")["name"][0] == EVIL
