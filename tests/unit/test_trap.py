"""The trap in which all tests run: it notices what it is there for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trap import sitecustomize as trap


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for attempts that do not fail this test."""
    monkeypatch.setenv(trap.LOG, str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.mark.parametrize("attempt", ["getaddrinfo('example.invalid', 80)", "create_connection(('192.0.2.1', 80), 1)"])
def test_a_lookup_and_a_connection_are_refused_and_written_down_in_every_process(log: Path, attempt: str) -> None:
    with pytest.raises(OSError, match="a test must not reach"):
        eval(f"socket.{attempt}")  # noqa: S307 -- the text above
    child = subprocess.run([sys.executable, "-c", f"import socket; socket.{attempt}"], capture_output=True, check=False)
    assert child.returncode == 1
    here, there = log.read_text(encoding="utf-8").splitlines()
    assert here.partition(" by ")[0] == there.partition(" by ")[0]


def test_this_machine_may_be_reached(log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()
    assert not log.exists()


def test_children_of_a_test_are_watched() -> None:
    assert str(Path(trap.__file__).parent) in os.environ["PYTHONPATH"].split(os.pathsep)
