"""What a kill, a crash or a full disk leaves in a workspace: how each is recognised, and how it is mended.

Nothing here touches a result: models/, reports/, data/, dvc.lock, DVC's cache and MLflow's runs stay as they are.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import yaml

from mobileyolo import progress
from mobileyolo.core import environment
from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import PARAMS_FILE, leaves
from mobileyolo.core.environment import STATE_DIR
from mobileyolo.core.errors import UserError
from mobileyolo.training.precision import precision_warning

# What DVC (3.67) writes in place and reads before it does anything: who works on which paths, running experiments.
_DVC_STATE = ("rwlock", "exps/rwlock", "exps/run/**/*.run", "exps/run/**/*.json")
_STAGE_MODULE = re.compile(r"stages\.[a-z]+")
# `core.files.replacing` and `replacing_folder`, and the folder of a training in flight.
_TEMPORARY_FILE = re.compile(r"\..+\.(\d+)\.tmp")
_TEMPORARY_FOLDER = re.compile(r"\..+\.[a-z0-9_]{8}")
_TRAINING_FOLDER = re.compile(rf"({'|'.join(ARMS)})-s\d+-[a-z0-9_]{{8}}")
_MLFLOW_TABLES = {"alembic_version", "experiments", "runs", "metrics", "params", "tags"}
_PATIENCE = 10  # seconds that a process has to end by itself


@dataclass(frozen=True)
class Finding:
    """One bad state.

    Attributes:
        what: what is wrong, with the file or process.
        why: what it comes from, and what it leads to.
        remedy: what `mend` does or, without one, what to do by hand.
        mend: mends it; None where only a person can decide.
    """

    what: str
    why: str
    remedy: str
    mend: Callable[[], None] | None = None


def find() -> Iterator[Finding]:
    """Every bad state of this workspace, one after another: what is mended in between is not found again."""
    return chain(
        _outside_git(),
        _orphans(),
        _damaged_state_of_dvc(),
        _damaged_lock_file(),
        _damaged_store(),
        _leftovers(),
        _parameters_of_a_failed_run(),
        _slow_precision(),
    )


def _outside_git() -> Iterator[Finding]:
    if environment.in_git():
        return
    from mobileyolo.experiments import MAKE_ONE, WITHOUT_GIT, check_repository  # dvc, which takes time to import

    try:
        check_repository()
    except UserError:
        yield Finding(
            what=f"{Path.cwd()}: not a git repository, so DVC refuses to run",
            why="A ZIP of the repository, as GitHub offers it, is none.",
            remedy=f"{MAKE_ONE}; {WITHOUT_GIT}",
        )


def _orphans() -> Iterator[Finding]:
    for process in _stages():
        if any(_is_dvc(parent) for parent in process.parents()):
            continue
        age = timedelta(seconds=round(time.time() - process.create_time()))
        yield Finding(
            what=f"process {process.pid} ({' '.join(process.cmdline()[1:])}): runs for {age}, and its dvc is dead",
            why="Nobody waits for its result any more, and the next dvc repro would start the same work beside it.",
            remedy="end the process",
            mend=lambda process=process: _end(process),  # type: ignore[misc]
        )


def _damaged_state_of_dvc() -> Iterator[Finding]:
    folder = Path(".dvc/tmp")
    for path in sorted(path for pattern in _DVC_STATE for path in folder.glob(pattern)):
        if _is_json_mapping(path):
            continue
        running = [process for process in _processes() if _is_dvc(process)]
        yield Finding(
            what=f"{path.as_posix()}: DVC's own note of who works on what is damaged",
            why='A kill or a full disk left a part of it, and dvc commands say that its "JSON structure is corrupted". '
            "It holds nothing but names of commands that run right now.",
            remedy=f"end dvc first, process {running[0].pid}" if running else "delete it",
            mend=None if running else path.unlink,
        )


def _damaged_lock_file() -> Iterator[Finding]:
    path = Path("dvc.lock")
    try:
        whole = not path.is_file() or isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
    except (yaml.YAMLError, UnicodeDecodeError):
        whole = False
    if not whole:
        yield Finding(
            what="dvc.lock: damaged",
            why="A kill or a full disk left a part of it, and DVC can't tell which results the workspace has. They are "
            "all in its cache still.",
            remedy="git checkout dvc.lock, or delete it if git has none; then dvc repro, which finds all in the cache",
        )


def _damaged_store() -> Iterator[Finding]:
    database = Path("mlflow.db")
    damage = _damage_of(database)
    if damage:
        moved = database.with_name(f"mlflow-damaged-{datetime.now():%Y-%m-%d-%H%M%S}.db")
        yield Finding(
            what=f"{database.name}: MLflow's database is damaged ({damage})",
            why="A kill while MLflow creates it leaves a part of it, and nothing is logged any more. Results are in "
            "DVC's files.",
            remedy=f"rename it to {moved.name}; mobileyolo log then logs the last comparison to a new one",
            mend=lambda: _move(database, moved),
        )


def _damage_of(database: Path) -> str:
    """What is wrong with MLflow's SQLite database; "" for a sound one, and for none."""
    if not database.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.OperationalError:  # it is locked, say, which says nothing of its content
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    missing = sorted(_MLFLOW_TABLES - found)
    return f"it lacks the tables {', '.join(missing)}" if missing else ""


def _leftovers() -> Iterator[Finding]:
    paths = [path for path in _temporary_files() if not _is_owned(path)]
    if not any(_stages()):  # the names of these do not say whose they are
        paths += _temporary_folders()
    if paths:
        size = sum(file.stat().st_size for path in paths for file in (path, *path.rglob("*")) if file.is_file())
        names = ", ".join([path.as_posix() for path in paths[:3]] + ["..."] * (len(paths) > 3))
        plural = "s" * (len(paths) > 1)
        yield Finding(
            what=f"{len(paths)} temporary file{plural} of killed processes, {size / 1e6:.1f} MB: {names}",
            why="Each was to become a result, or was a training's own. They take space, and to DVC "
            "those beside results are changes.",
            remedy="delete them",
            mend=lambda: _delete(paths),
        )


def _parameters_of_a_failed_run() -> Iterator[Finding]:
    failure = progress.last_failure()
    if not failure:
        return
    told = subprocess.run(
        ["git", "show", f"HEAD:./{PARAMS_FILE}"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    try:
        committed = dict(leaves(yaml.safe_load(told.stdout) or {}))
    except (AttributeError, yaml.YAMLError):
        return
    present = _parameters()
    changed = [
        f"{key}: {committed.get(key)} -> {present.get(key)}"
        for key in sorted(committed.keys() | present.keys())
        if committed.get(key) != present.get(key)
    ]
    if committed and present and changed:
        # A value of -S can't be told from one that somebody typed into the file, so nothing is changed here.
        yield Finding(
            what=f"{PARAMS_FILE}: differs from the last commit, and the last run with it failed ({failure})",
            why=f"What dvc exp run -S sets stays there, and the next dvc repro takes it: {'; '.join(changed)}.",
            remedy=f"git checkout {PARAMS_FILE}, unless you want these values; it takes back every edit of that file",
        )


def _parameters() -> dict[str, Any]:
    """Parameters by dotted key; none where params.yaml can't be read, of which the stage check says what is wrong."""
    try:
        return dict(leaves(yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))))
    except (AttributeError, OSError, yaml.YAMLError):
        return {}


def _slow_precision() -> Iterator[Finding]:
    if slow := precision_warning(str(_parameters().get("train.precision"))):
        yield Finding(
            what=f"{PARAMS_FILE}: {slow}",
            why="Results are as good, but mixed precision is there to train faster.",
            remedy=f"set train.precision to fp32 in {PARAMS_FILE}",
        )


def _processes() -> Iterator[psutil.Process]:
    """Processes that work in the workspace, or in an experiment's folder below it."""
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(Path.cwd()):
                yield process
        except psutil.Error:  # it has ended, or is somebody else's
            continue


def _stages() -> Iterator[psutil.Process]:
    """Stages that dvc has started in the workspace; its shell has their words in one."""
    for process in _processes():
        try:
            command, variables = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        if "DVC_STAGE" in variables and "-m" in command and any(map(_STAGE_MODULE.fullmatch, command)):
            yield process


def _is_dvc(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()[:4]
    except psutil.Error:
        return False
    return "dvc" in {Path(word).stem for word in words}


def _end(process: psutil.Process) -> None:
    process.terminate()
    _, alive = psutil.wait_procs([process], timeout=_PATIENCE)
    for each in alive:
        each.kill()
    psutil.wait_procs(alive, timeout=_PATIENCE)


def _is_json_mapping(path: Path) -> bool:
    """Does a file hold what DVC expects? It is read again after a moment, because DVC may be writing it."""
    for _ in range(2):
        try:
            return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
        except FileNotFoundError:
            return True
        except ValueError:
            time.sleep(0.2)
    return False


def _temporary_files() -> Iterator[Path]:
    for path in _beside_results():
        if _TEMPORARY_FILE.fullmatch(path.name) and path.is_file():
            yield path


def _is_owned(path: Path) -> bool:
    """Is the process alive that a temporary file's name ends in? A later one can have its number."""
    found = _TEMPORARY_FILE.fullmatch(path.name)
    try:
        return found is not None and psutil.Process(int(found[1])).create_time() <= path.stat().st_mtime
    except (psutil.Error, OSError, OverflowError):
        return False


def _temporary_folders() -> Iterator[Path]:
    for path in _beside_results():
        if _TEMPORARY_FOLDER.fullmatch(path.name) and {each.name for each in path.glob("*")} <= {"content"}:
            yield path
    # Of versions before 0.3; later ones keep checkpoints in trainings/, which are no leftovers.
    yield from (path for path in STATE_DIR.glob("*") if _TRAINING_FOLDER.fullmatch(path.name))


def _beside_results() -> Iterator[Path]:
    """Hidden files and folders where stages write; not in a dataset, which may lie in data/ and be large."""
    for pattern in (f"{STATE_DIR}/.*", "data/.*", "data/manifest/.*", "data/raw/.*", "models/**/.*", "reports/**/.*"):
        yield from sorted(Path().glob(pattern))


def _delete(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _move(database: Path, moved: Path) -> None:
    """Move a database with what SQLite keeps beside it."""
    for ending in ("-wal", "-shm", "-journal", ""):
        beside = database.with_name(database.name + ending)
        if beside.exists():
            beside.rename(moved.with_name(moved.name + ending))
