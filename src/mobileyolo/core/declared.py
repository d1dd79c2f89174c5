"""Which parameters and code dvc.yaml declares for a stage: what DVC watches, and so the only ones that it may read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobileyolo.core.config import PARAMS_FILE
from mobileyolo.core.errors import StageError
from mobileyolo.core.files import read_mapping

CODE = ("src/mobileyolo/", "stages/")  # folders of the code, from that of dvc.yaml


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


def declared_code(pipeline: Path, stage: str) -> list[str]:
    """Files and folders of code that dvc.yaml names for a stage, from its folder: a change of them runs it again.

    Args:
        pipeline: dvc.yaml.
        stage: DVC's name for it, such as build@candidate.

    Raises:
        StageError: dvc.yaml has no such stage.
    """
    entry = _entry(pipeline, stage)
    body = entry.get("do", entry)
    paths = [os.path.normpath(Path(body.get("wdir", "."), dep)).replace(os.sep, "/") for dep in body["deps"]]
    return [path for path in paths if path.startswith(CODE)]


def _entry(pipeline: Path, stage: str) -> Mapping[str, Any]:
    """What dvc.yaml holds for a stage."""
    name = stage.partition("@")[0]
    stages: Mapping[str, Mapping[str, Any]] = read_mapping(pipeline)["stages"]
    if name not in stages:
        raise StageError(f"{pipeline.name} has no stage {name!r}; it has {', '.join(stages)}")
    return stages[name]
