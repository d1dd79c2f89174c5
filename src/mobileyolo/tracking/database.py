"""MLflow's SQLite database: created whole or not at all, and looked at before MLflow opens it.

MLflow 3.17 creates its tables in many steps. A process that is killed between two of them leaves a database that
nothing can open any more. Nothing here deletes a database: what can't be used is named, for its owner to move away.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

_SECONDS_FOR_A_LOCK = 20  # as MLflow waits for another process that writes
_SIDE_FILES = ("-journal", "-wal", "-shm")  # of SQLite, beside a database


def locate(address: str, folder: Path) -> URL | None:
    """The SQLite database that an address names; None if it names something else.

    Args:
        address: as MLflow and SQLAlchemy write it.
        folder: where a relative path begins.
    """
    if not address.startswith("sqlite"):
        return None
    url = make_url(address)
    if url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return _with_path(url, folder / str(url.database))


def ensure(url: URL, scratch: Path) -> None:
    """Create the database if there is none. The caller holds a lock that every creator takes.

    Args:
        url: from `locate`.
        scratch: a folder for the database in the making, on the same disk. It holds nothing else, and is removed:
            what is in it was left by a process that was killed.

    Raises:
        ConnectionError: there is a database that MLflow can't use; the message says what to do about it.
    """
    path = Path(str(url.database))
    shutil.rmtree(scratch, ignore_errors=True)
    if _is_usable(path):
        return
    # SQLite would apply the journal of another database to the new one.
    if left := [each for each in _files(path) if each != path]:
        raise ConnectionError(f"{_listed(left)} belongs to a database that is gone: move it away, too")
    scratch.mkdir(parents=True)
    made = scratch / path.name
    engine = _engine(made)
    utils._initialize_tables(engine)
    engine.dispose()
    if not _is_usable(path):  # `mlflow ui` takes no lock, and may have created one in the meantime
        made.replace(path)
    shutil.rmtree(scratch)


def check(url: URL) -> None:
    """Raise unless there is a database that MLflow can use.

    Args:
        url: from `locate`.

    Raises:
        ConnectionError: there is none, or the one that is there can't be used; the message says why.
    """
    path = Path(str(url.database))
    if not _is_usable(path):
        raise ConnectionError(f"{path} {'is empty' if path.exists() else 'does not exist'}")


def _is_usable(path: Path) -> bool:
    """Does this file hold all tables of MLflow? False if there is none, or an empty one.

    Raises:
        ConnectionError: it is damaged, was never finished, or belongs to another version of MLflow.
    """
    if not path.exists():
        return False
    try:
        with _engine(path).connect() as connection:
            fault = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if fault == "ok":
                return bool(inspect(connection).get_table_names()) and _is_complete(connection, path)
    except DatabaseError as error:
        fault = error.orig
        if getattr(fault, "sqlite_errorcode", None) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
    raise ConnectionError(f"{path} is damaged ({fault}); {_remedy(path)}")


def _is_complete(connection: Connection, path: Path) -> bool:
    """True if it has the tables of this MLflow, which would otherwise begin to create or change them."""
    schemas = ScriptDirectory.from_config(utils._get_alembic_config(""))
    found, expected = MigrationContext.configure(connection).get_current_revision(), schemas.get_current_head()
    if found == expected and utils._all_tables_exist(connection):
        return True
    if found is not None and found not in {schema.revision for schema in schemas.walk_revisions()}:
        raise ConnectionError(
            f"{path} was made by a newer MLflow (its schema {found} is unknown); update MLflow, or {_remedy(path)}"
        )
    if found in (None, expected) or not _has_experiments(connection):
        raise ConnectionError(
            f"{path} lacks tables of MLflow, because what created it was stopped (or is `mlflow ui` creating it right "
            f"now?); {_remedy(path)}"
        )
    raise ConnectionError(
        f"{path} was made by an older MLflow (schema {found}, now {expected}); keep a copy of it, then run "
        f'`mlflow db upgrade "{_with_path(make_url("sqlite://"), path).render_as_string()}"`'
    )


def _has_experiments(connection: Connection) -> bool:
    """MLflow creates the first one as soon as its tables are complete."""
    if not inspect(connection).has_table("experiments"):
        return False
    return bool(connection.exec_driver_sql("SELECT count(*) FROM experiments").scalar())


def _remedy(path: Path) -> str:
    return f"move {_listed(_files(path))} away, and a new one is created"


def _files(path: Path) -> list[Path]:
    """The database and its side files, as far as they are there."""
    return [each for each in (path, *(path.with_name(path.name + side) for side in _SIDE_FILES)) if each.exists()]


def _listed(paths: list[Path]) -> str:
    return " and ".join(map(str, paths))


def _engine(path: Path) -> Engine:
    """Opens the file anew for each connection, and so keeps none open."""
    url = _with_path(make_url("sqlite://"), path)
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": _SECONDS_FOR_A_LOCK})


def _with_path(url: URL, path: Path) -> URL:
    """The path as part of an address, in which SQLAlchemy (since 2.1) escapes what has a meaning there.

    The driver is named because MLflow 3.17 creates the folders of an address that begins with sqlite:///, and takes an
    escaped name for a folder's.
    """
    return url.set(drivername="sqlite+pysqlite", database=path.as_posix())
