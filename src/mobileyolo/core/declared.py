"""Which parameters and code dvc.yaml declares for a stage: what DVC watches, and so the only ones that it may read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mobileyolo.core.config import PARAMS_FILE, leaves
from mobileyolo.core.errors import StageError


def declared_parameters(pipeline: Path, stage: str) -> frozenset[str] | None:
    """Keys of params.yaml that dvc.yaml names for a stage; None where it depends on the whole file.

    Args:
        pipeline: dvc.yaml.
        stage: DVC's name for it, such as build@candidate.

    Raises:
        StageError: dvc.yaml has no such stage.
    """
    entry = _entry(pipeline, stage)
    instance, loop, body = stage.partition("@")[2], entry.get("foreach"), entry.get("do", entry)
    if PARAMS_FILE.as_posix() in body["deps"]:
        return None
    listed: list[str] = []
    for entry in body.get("params", []):  # a key, or the keys of a file named by its path
        listed += [entry] if isinstance(entry, str) else [key for keys in entry.values() for key in keys]
    item = loop.get(instance) if isinstance(loop, dict) else None
    named = {"${item}": item}
    if isinstance(item, dict):
        named = {f"${{item.{key}}}": value for key, value in item.items()}
    return frozenset(str(named.get(key, key)) for key in listed)


def code_digests(root: Path) -> dict[str, str]:
    """Digest of each file of the code, by its path below the root."""
    files = (file for folder in ("src/mobileyolo", "stages") for file in sorted((root / folder).rglob("*")))
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file() and file.parent.name != "__pycache__"
    }


def check_unchanged(
    pipeline: Path,
    stage: str,
    params: tuple[Mapping[str, Any], Mapping[str, Any]],
    code: tuple[Mapping[str, str], Mapping[str, str]],
) -> None:
    """See that what a stage depends on is, at its end, what it was at its start.

    DVC (3.67) looks at dependencies once more when a stage has ended, and records what it finds then. An edit while a
    stage runs would be recorded as what its result came from, in dvc.lock and in the run-cache.

    Args:
        pipeline: dvc.yaml.
        stage: DVC's name for it.
        params: all of params.yaml, at the stage's start and now.
        code: `code_digests`, likewise.

    Raises:
        StageError: something has changed; nothing is recorded then.
    """
    changed = [*_changed_params(declared_parameters(pipeline, stage), *params)]
    changed += _changed_code(_entry(pipeline, stage), *code)
    if changed:
        raise StageError(
            f"{'; '.join(changed)} changed while this stage ran. Its result is of what was there before, and DVC would "
            "record it as that of what is there now; so it is not kept. Run dvc repro again"
        )


def _changed_params(
    declared: frozenset[str] | None, before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[str]:
    old, new = dict(leaves(before)), dict(leaves(now))
    for key in sorted(old.keys() | new.keys()):
        watched = declared is None or any(key == each or key.startswith(f"{each}.") for each in declared)
        if watched and old.get(key) != new.get(key):
            yield f"{key} in {PARAMS_FILE} ({old.get(key)} -> {new.get(key)})"


def _changed_code(entry: Mapping[str, Any], before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    body = entry.get("do", entry)
    watched = [os.path.normpath(Path(body.get("wdir", "."), each)).replace(os.sep, "/") for each in body["deps"]]
    for file in sorted(before.keys() | now.keys()):
        if before.get(file) != now.get(file) and any(file == each or file.startswith(f"{each}/") for each in watched):
            yield file


def declared_code(pipeline: Path, stage: str) -> list[Path]:
    """Files and folders of code that dvc.yaml names for a stage: a change of them runs it again.

    Args:
        pipeline: dvc.yaml.
        stage: DVC's name for it, such as build@candidate.

    Raises:
        StageError: dvc.yaml has no such stage.
    """
    entry = _entry(pipeline, stage)
    deps = entry.get("do", entry)["deps"]
    return [pipeline.parent / path for path in deps if path.startswith(("src/", "stages/"))]


def _entry(pipeline: Path, stage: str) -> Mapping[str, Any]:
    """What dvc.yaml holds for a stage."""
    name = stage.partition("@")[0]
    stages: Mapping[str, Mapping[str, Any]] = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"]
    if name not in stages:
        raise StageError(f"{pipeline.name} has no stage {name!r}; it has {', '.join(stages)}")
    return stages[name]
