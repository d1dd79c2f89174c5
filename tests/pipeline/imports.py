"""Which files of ours a module needs: what it imports, and files beside it that it or its template names."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"mobileyolo": ROOT / "src", "stages": ROOT}
TEMPLATES = ROOT / "src/mobileyolo/reporting"


def closure(file: Path, left_out: Collection[str] = ()) -> set[str]:
    """Every file of ours that running `file` needs, itself included, as paths below the root.

    Args:
        file: what is run.
        left_out: folders below the root; files in them are not in the result, nor is what only they need.
    """
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current in seen or any(current.is_relative_to(ROOT / folder) for folder in left_out):
            continue
        seen.add(current)
        if current.suffix == ".py":
            waiting += _needed_by(current)
        elif current.suffix == ".j2":
            waiting += _named_by(current)
    return {path.relative_to(ROOT).as_posix() for path in seen}


def _needed_by(file: Path) -> Iterator[Path]:
    for node in _that_run(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from _files_of(node.module)
            for alias in node.names:
                yield from _files_of(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            yield from _named(node.value, file.parent)


def _that_run(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, but for what only type checkers read."""
    yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    for child in ast.iter_child_nodes(node):
        yield from _that_run(child)


def _named(text: str, folder: Path) -> Iterator[Path]:
    """The file that a text names: one in the same folder, or a template."""
    if "\n" in text or len(text) > 100:
        return
    beside, template = folder / text, TEMPLATES / text
    if beside.is_file() and beside.parent == folder:
        yield beside
    elif template.suffix == ".j2" and template.is_file():
        yield template


def _named_by(template: Path) -> Iterator[Path]:
    """Templates that a Jinja template takes parts from."""
    for name in re.findall(r"{% (?:from|include) \"([^\"]+)\"", template.read_text(encoding="utf-8")):
        yield TEMPLATES / name


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
