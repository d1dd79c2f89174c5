"""Which parameters and which code dvc.yaml declares for a stage: DVC watches them, and a stage may read no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mobileyolo.core.config import PARAMS_FILE
from mobileyolo.core.errors import StageError


def declared_parameters(pipeline: Path, stage: str) -> frozenset[str] | None:
    """Keys of params.yaml that dvc.yaml names for a stage; None where it depends on the whole file.

    Args:
        pipeline: dvc.yaml.
        stage: DVC's name for it, such as build@candidate.

    Raises:
        StageError: dvc.yaml has no such stage.
    """
    entry, body = _read(pipeline, stage)
    instance, loop = stage.partition("@")[2], entry.get("foreach")
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


def declared_code(pipeline: Path, stage: str) -> list[Path]:
    """Files and folders of code that dvc.yaml names for a stage: a change of them runs it again.

    Args:
        pipeline: dvc.yaml.
        stage: DVC's name for it, such as build@candidate.

    Raises:
        StageError: dvc.yaml has no such stage.
    """
    _, body = _read(pipeline, stage)
    return [pipeline.parent / path for path in body["deps"] if path.startswith(("src/", "stages/"))]


def _read(pipeline: Path, stage: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A stage's entry in dvc.yaml, and its body: the same, or what stands below `do`."""
    name = stage.partition("@")[0]
    stages = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"]
    if name not in stages:
        raise StageError(f"{pipeline.name} has no stage {name!r}; it has {', '.join(stages)}")
    return stages[name], stages[name].get("do", stages[name])
