"""Which parameters dvc.yaml declares for a stage: those that DVC watches, and so the only ones that it may read."""

from __future__ import annotations

from pathlib import Path

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
    name, _, instance = stage.partition("@")
    stages = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"]
    if name not in stages:
        raise StageError(f"{pipeline.name} has no stage {name!r}; it has {', '.join(stages)}")
    loop = stages[name].get("foreach")
    body = stages[name].get("do", stages[name])
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
