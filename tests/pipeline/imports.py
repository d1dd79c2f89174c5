"""Which files of ours a module needs: what it imports, and files beside it that it or its template names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"mobileyolo": ROOT / "src", "stages": ROOT}


def closure(file: Path) -> set[str]:
    """Every file of ours that running `file` needs, itself included, as paths below the root."""
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if current.suffix == ".py":
            waiting += _needed_by(current)
        elif current.suffix == ".j2":
            waiting += _named_by(current)
    return {path.relative_to(ROOT).as_posix() for path in seen}


def _needed_by(file: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from _files_of(node.module)
            for alias in node.names:
                yield from _files_of(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            named = file.parent / node.value
            if "\n" not in node.value and len(node.value) < 100 and named.is_file() and named.parent == file.parent:
                yield named


def _named_by(template: Path) -> Iterator[Path]:
    """Templates that a Jinja template takes parts from."""
    for name in re.findall(r"{% (?:from|include) \"([^\"]+)\"", template.read_text(encoding="utf-8")):
        yield template.parent / name


def _files_of(module: str) -> Iterator[Path]:
    """The file of a module of ours, and those of the packages round it, which Python runs first."""
    parts = module.split(".")
    if parts[0] not in SOURCES:
        return
    for length in range(1, len(parts) + 1):
        path = SOURCES[parts[0]].joinpath(*parts[:length])
        if (path / "__init__.py").is_file():
            yield path / "__init__.py"
        elif path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")
