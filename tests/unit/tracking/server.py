"""A tracking server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path

ADMIN = ("ada", "a password of 22 signs")  # who may enter a server that wants a login


class Server:
    """`mlflow server`, or `mlflow ui`, as one types it in a workspace: its store is mlflow.db there.

    With `login`, it is MLflow's own basic-auth, and lets in `ADMIN` alone. Other options and variables replace these.
    """

    def __init__(
        self,
        workspace: Path,
        command: str = "server",
        *options: str,
        login: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._workspace = workspace
        self._command = [command, "--workers", "1", *options]  # of an option that is there twice, the last one counts
        self._login = login
        self._variables = variables or {}
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", *self._command, "--port", str(self._port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
        if self._login:
            command += ["--app-name", "basic-auth"]
            environment |= {"MLFLOW_AUTH_CONFIG_PATH": str(self._settings()), "MLFLOW_FLASK_SERVER_SECRET_KEY": "key"}
        self._process = subprocess.Popen(
            command,
            cwd=self._workspace,
            env=environment | dict(self._variables),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._process, self._port, "/health")

    def kill(self) -> None:
        """Kill it and its workers, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _settings(self) -> Path:
        """What basic-auth reads: MLflow would keep its users beside the folder that the server was started in."""
        file = self._workspace / "basic_auth.ini"
        name, password = ADMIN
        lines = ["[mlflow]", "default_permission = NO_PERMISSIONS", "database_uri = sqlite:///users.db"]
        file.write_text("\n".join([*lines, f"admin_username = {name}", f"admin_password = {password}"]))
        return file


def free_port() -> int:
    """A port of loopback that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(process: subprocess.Popen[bytes], port: int, page: str) -> None:
    """Wait until a server answers."""
    while True:
        asked = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            asked.request("GET", page)
            asked.getresponse().read()
        except OSError:
            assert process.poll() is None, "the server ended by itself"
            time.sleep(0.1)
        else:
            return
