"""What compose.yaml starts, as plain processes: PostgreSQL, S3 storage, and MLflow's server with a login on both.

Commands and variables are those of compose.yaml, with addresses on loopback and passwords of this run.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from tests.pipeline.workspace import ROOT, Workspace
from tests.unit.tracking.server import Server, free_port

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
ARTIFACTS, REMOTE = "mlflow", "dvc"  # the buckets: folders in the container of s3, below /data
_DATABASE_USER = "postgres"  # of the system; the package of Debian makes it
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*|:-([^}]*))?\}")  # `${NAME:?message}` or `${NAME:-default}`


@dataclass(frozen=True)
class Services:
    """What the machines of a team share.

    Attributes:
        address: of MLflow's server.
        variables: what a client of the server needs in its environment.
        storage: the folder that has the files of DVC's remote.
        url: of that remote.
        settings: of the remote, for all to read.
        keys: settings that are secret.
        artifacts: the folder with the server's artifacts.
    """

    address: str
    variables: Mapping[str, str]
    storage: Path
    url: str
    settings: Mapping[str, str]
    keys: Mapping[str, str]
    artifacts: Path

    def known(self, **others: str) -> tuple[str, ...]:
        """What stands before a command that knows the server, and these variables."""
        return ("env", *(f"{name}={value}" for name, value in {**self.patient, **others}.items()))

    @property
    def patient(self) -> Mapping[str, str]:
        """The variables of a client that goes on waiting where the server of a busy machine answers late."""
        return {"MLFLOW_HTTP_REQUEST_TIMEOUT": "600", **self.variables}

    def add_remote(self, workspace: Workspace) -> None:
        """Make the storage a workspace's default remote; its keys stay out of git."""
        workspace.dvc("remote", "add", "--default", "--force", "team", self.url)
        for name, value in self.settings.items():
            workspace.dvc("remote", "modify", "team", name, value)
        self.add_keys(workspace)

    def add_keys(self, workspace: Workspace) -> None:
        """What a clone lacks to reach the remote that git knows."""
        for name, value in self.keys.items():
            workspace.dvc("remote", "modify", "--local", "team", name, value)


@contextmanager
def local(folder: Path) -> Iterator[Services]:
    """The least that does: a server on SQLite without a login, and a folder as remote.

    Args:
        folder: an empty one.
    """
    (folder / "server").mkdir()
    server = Server(folder / "server")
    storage = folder / "storage"
    try:
        server.start()
        variables = {"MLFLOW_TRACKING_URI": server.address}
        yield Services(server.address, variables, storage, str(storage), {}, {}, folder / "server/mlartifacts")
    finally:
        server.kill()


@contextmanager
def shared(folder: Path) -> Iterator[Services]:
    """All of compose.yaml.

    Args:
        folder: an empty one.
    """
    values = {name: secrets.token_hex(16) for name in _named(COMPOSE)} | {"MLFLOW_ADMIN": "ada"}
    for name in ("server", "buckets"):
        (folder / name).mkdir()
    with postgres(values) as database, s3(folder / "buckets", values) as storage:
        settings = folder / "server/basic_auth.ini"
        settings.write_text(COMPOSE["configs"]["login"]["content"], encoding="utf-8")
        here = {"PGHOST": "127.0.0.1", "PGPORT": str(database), "MLFLOW_S3_ENDPOINT_URL": storage}
        variables = environment("mlflow", values) | here | {"MLFLOW_AUTH_CONFIG_PATH": str(settings)}
        server = Server(
            folder / "server", *_without_address(COMPOSE["services"]["mlflow"]["command"]), variables=variables
        )
        try:
            server.start()
            yield Services(
                server.address,
                {
                    "MLFLOW_TRACKING_URI": server.address,
                    "MLFLOW_TRACKING_USERNAME": values["MLFLOW_ADMIN"],
                    "MLFLOW_TRACKING_PASSWORD": values["MLFLOW_ADMIN_PASSWORD"],
                },
                folder / "buckets" / REMOTE,
                f"s3://{REMOTE}",
                {"endpointurl": storage},
                {"access_key_id": values["S3_ACCESS_KEY"], "secret_access_key": values["S3_SECRET_KEY"]},
                folder / "buckets" / ARTIFACTS,
            )
        finally:
            server.kill()


@contextmanager
def postgres(values: Mapping[str, str]) -> Iterator[int]:
    """A database of its own in a temporary folder; its port.

    Args:
        values: of the variables in compose.yaml.
    """
    known = environment("postgres", values)
    # The system's user for databases could not enter a folder of root's.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        password = Path(folder, "password")
        password.write_text(known["POSTGRES_PASSWORD"], encoding="utf-8")
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to be root's
            for path in (folder, password):
                shutil.chown(path, _DATABASE_USER, _DATABASE_USER)
            user = {"user": _DATABASE_USER, "group": _DATABASE_USER, "extra_groups": []}
        data, port = str(Path(folder, "data")), free_port()
        secret = ["--auth", "scram-sha-256", "--pwfile", str(password)]
        created = ["initdb", "--pgdata", data, "--encoding", "UTF8", "--locale", "C", *secret]
        created += ["--username", known["POSTGRES_USER"]]
        subprocess.run(_found(created), cwd=folder, check=True, capture_output=True, **user)
        command = [*COMPOSE["services"]["postgres"]["command"], "-D", data, "-p", str(port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with _running(_found(command), signal.SIGINT, cwd=folder, **user) as process:  # which ends its clients, too
            _create_databases(process, port, known)
            yield port


@contextmanager
def s3(folder: Path, values: Mapping[str, str]) -> Iterator[str]:
    """S3 storage with both buckets; its address.

    Args:
        folder: an empty one.
        values: of the variables in compose.yaml.
    """
    for bucket in (ARTIFACTS, REMOTE):
        (folder / bucket).mkdir()
    port = free_port()
    address = f"127.0.0.1:{port}"
    known = environment("s3", values) | {"RCLONE_S3_ENDPOINT": f"http://{address}", "RCLONE_CONFIG": os.devnull}
    # The program is a package of this environment's.
    variables = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]), **known}
    service = COMPOSE["services"]["s3"]
    places = {"/data": str(folder), ":9000": address}
    command = ["rclone", *(places.get(word, word) for word in service["command"])]
    with _running(command, signal.SIGTERM, env=variables) as process:
        check = service["healthcheck"]["test"][1:]
        _wait(process, lambda: subprocess.run(check, env=variables, capture_output=True, check=True))
        yield f"http://{address}"


def environment(service: str, values: Mapping[str, str]) -> dict[str, str]:
    """The variables of a service in compose.yaml, as Docker would fill them in."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1]) or found[2] or ""

    stated: Mapping[str, str] = COMPOSE["services"][service]["environment"]
    return {name: _VARIABLE.sub(value, text) for name, text in stated.items()}


def _without_address(command: list[str]) -> list[str]:
    """The words of an MLflow server's command behind `mlflow`, but for where it listens."""
    places = {number + step for number, word in enumerate(command) if word in {"--host", "--port"} for step in (0, 1)}
    return [word for number, word in enumerate(command) if number not in places][1:]


def _named(node: object) -> set[str]:
    """The variables that compose.yaml has no default for."""
    return set(re.findall(r"\$\{(\w+):\?", str(node)))


def _create_databases(process: subprocess.Popen[bytes], port: int, known: Mapping[str, str]) -> None:
    """What the image does at its first start."""

    def connect(database: str = "postgres") -> Any:
        name, password = known["POSTGRES_USER"], known["POSTGRES_PASSWORD"]
        return psycopg2.connect(host="127.0.0.1", port=port, user=name, password=password, dbname=database)

    with closing(_wait(process, connect)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {known['POSTGRES_DB']}")
            cursor.execute(COMPOSE["configs"]["users-database"]["content"])


def _found(command: list[str]) -> list[str]:
    """The command with the full path of its program, of the newest PostgreSQL.

    Raises:
        FileNotFoundError: there is none.
    """
    name, *words = command
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not installed:
        raise FileNotFoundError(f"/usr/lib/postgresql/*/bin/{name}: install Debian's package `postgresql`")
    return [str(installed[-1]), *words]


def _wait(process: subprocess.Popen[bytes], ask: Any) -> Any:
    """Ask until there is an answer."""
    end = time.monotonic() + 120
    while True:
        try:
            return ask()
        except (psycopg2.OperationalError, subprocess.CalledProcessError):
            assert process.poll() is None, "the server ended by itself"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.1)


@contextmanager
def _running(command: list[str], ending: signal.Signals, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A server that ends with the block, and all that it has started."""
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, start_new_session=True, **quiet, **options) as process:
        try:
            yield process
        finally:
            process.send_signal(ending)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
