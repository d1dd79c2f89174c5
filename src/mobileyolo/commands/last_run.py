"""What the last `dvc repro` left, for the commands that show it or go on from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobileyolo import progress
from mobileyolo.core.config import PARAMS_FILE, Seeds, leaves, load_params
from mobileyolo.core.errors import UserError
from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE, read_mapping
from mobileyolo.core.records import DatasetCard
from mobileyolo.verdict.records import Comparison


def last_comparison() -> Comparison:
    """The comparison.

    Raises:
        UserError: there is none yet.
    """
    if not COMPARISON_FILE.is_file():
        failure = progress.last_failure()
        told = f"; the last run failed: {failure}" if failure else ""
        raise UserError(f"{COMPARISON_FILE}: no such file; run dvc repro first{told}")
    return Comparison.read(COMPARISON_FILE)


def last_dataset() -> DatasetCard:
    """What validation found the dataset to be.

    Raises:
        UserError: none was validated yet.
    """
    if not DATASET_FILE.is_file():
        raise UserError(f"{DATASET_FILE}: no such file; run dvc repro first")
    return DatasetCard.read(DATASET_FILE)


def staleness() -> Iterator[str]:
    """Why the last comparison may not be what params.yaml asks for now, a line each."""
    failure = progress.last_failure()
    if failure:
        yield f"The last run failed, so what is shown is of an earlier one. {failure}"
    changed = [f"{key}: {before} -> {now}" for key, before, now in _changed_parameters()]
    if changed:
        yield f"{PARAMS_FILE} has changed since ({'; '.join(changed)}): run dvc repro"


def _changed_parameters() -> Iterator[tuple[str, object, object]]:
    """Keys of params.yaml with the value that dvc.lock recorded for a stage, and with the value now.

    Raises:
        ConfigError: params.yaml can't be read, or its seeds are no list.
    """
    lock, pipeline = Path("dvc.lock"), Path("dvc.yaml")
    if not (lock.is_file() and pipeline.is_file() and PARAMS_FILE.is_file()):
        return
    params = load_params()
    values, seeds = params.values, params.get("seeds", Seeds)
    recorded = read_mapping(lock)["stages"]
    validated = [Path(dep["path"]) for dep in recorded.get("validate", {}).get("deps", [])]
    if validated and Path(values["data"]["dir"]).resolve() not in [path.resolve() for path in validated]:
        yield "data.dir", "another folder", values["data"]["dir"]
    order = progress.stage_order(read_mapping(pipeline), list(seeds))
    seen = set()
    for stage in order:
        for parameters in recorded.get(stage, {}).get("params", {}).values():
            for key, before in leaves(parameters):
                now = _value(values, key)
                if now != before and key not in seen:
                    seen.add(key)
                    yield key, before, now


def _value(values: Mapping[str, Any], key: str) -> Any:
    """A value by its dotted key; None where there is none."""
    value: Any = values
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
