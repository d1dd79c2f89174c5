"""A tracking server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path


class Server:
    """`mlflow server`, or `mlflow ui`, as one types it in a workspace: its store is mlflow.db there."""

    def __init__(self, workspace: Path, command: str = "server") -> None:
        self._workspace = workspace
        self._command = command
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", self._command, "--workers", "1", "--port", str(self._port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
        self._process = subprocess.Popen(
            command,
            cwd=self._workspace,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            asked = HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                asked.request("GET", "/health")
                asked.getresponse().read()
            except OSError:
                assert self._process.poll() is None, "the server ended by itself"
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """Kill it and its workers, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
