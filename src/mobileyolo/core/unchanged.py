"""Has what a stage depends on stayed the same while it ran?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mobileyolo.core.config import PARAMS_FILE, leaves
from mobileyolo.core.declared import CODE, declared_code, declared_parameters
from mobileyolo.core.errors import StageError


def code_digests(root: Path) -> dict[str, str]:
    """Digest of each file of the code, by its path below the root."""
    files = (file for folder in CODE for file in sorted((root / folder).rglob("*")))
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
    changed += _changed_code(declared_code(pipeline, stage), *code)
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


def _changed_code(watched: Sequence[str], before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for file in sorted(before.keys() | now.keys()):
        if before.get(file) != now.get(file) and any(file == each or file.startswith(f"{each}/") for each in watched):
            yield file
