"""What the documentation's pages get from the code: MkDocs calls this while it builds the site.

A page says `<!-- generated: parameters -->` where a table belongs, so that no table can differ from the code.
"""

from __future__ import annotations

import argparse
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mobileyolo.commands import build_parser
from mobileyolo.core.backbones import BACKBONES
from mobileyolo.core.config import leaves
from mobileyolo.parameters import Parameters

ROOT = Path(__file__).resolve().parents[2]
_MARK = re.compile(r"<!-- generated: (\w+) -->")
# A line of params.yaml: indentation, key, value, comment.
_PARAMS_LINE = re.compile(r"(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.*))?")
# Their choices stand in a validator, which a JSON schema does not show.
_CHOICES = {"backbone": tuple(BACKBONES), "baseline": tuple(BACKBONES)}


def on_page_markdown(markdown: str, **_context: object) -> str:
    """Put what is generated in its place; MkDocs calls it for each page."""
    return _MARK.sub(lambda mark: GENERATED[mark[1]](), markdown)


@dataclass(frozen=True)
class Parameter:
    """One value of params.yaml."""

    key: str
    default: object
    kind: str
    comment: str


def parameters() -> list[Parameter]:
    """All of params.yaml in its order, with types and bounds from the sections and comments from the file."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    comments, schema = params_comments(text), Parameters.model_json_schema(by_alias=True)
    found = []
    for key, default in leaves(yaml.safe_load(text)):
        parent, _, name = key.rpartition(".")
        comment = comments.get(key) or (comments.get(parent, "") if name == "limit" else "")
        found.append(Parameter(key, default, _kind(key, schema), comment))
    return found


def params_comments(text: str) -> dict[str, str]:
    """The comment behind each key of params.yaml, by the key's full name."""
    comments, path = {}, list[str]()
    for match in filter(None, map(_PARAMS_LINE.fullmatch, text.splitlines())):
        path = [*path[: len(match["indent"]) // 2], match["key"]]
        comments[".".join(path)] = (match["comment"] or "").strip()
    return comments


def parameters_page() -> str:
    """A heading and a table for each section."""
    comments = params_comments((ROOT / "params.yaml").read_text(encoding="utf-8"))
    sections: dict[str, list[Parameter]] = {}
    for parameter in parameters():
        parent = parameter.key.rpartition(".")[0]
        # The limit and the share of a kind stand in one table.
        sections.setdefault("validate.quality" if parent.startswith("validate.quality") else parent, []).append(
            parameter
        )
    parts = []
    for section, members in sections.items():
        parts.append(f"## {section or 'The comparison'}\n")
        if comments.get(section):
            parts.append(f"{_sentence(comments[section])}\n")
        parts.append("| parameter | default | type and bounds | what |\n| :-- | :-- | :-- | :-- |")
        for member in members:
            default = yaml.safe_dump(member.default, default_flow_style=True).splitlines()[0]
            parts.append(f"| `{member.key}` | `{default}` | {member.kind} | {_cell(member.comment)} |")
        parts.append("")
    return "\n".join(parts)


def commands_page() -> str:
    """A heading for each command with its usage, options and examples."""
    parts = []
    for name, parser in subparsers().items():
        parts.append(f"## {name}\n\n{html.escape((parser.description or '').strip(), quote=False)}\n")
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        parts.append(f"```text\n{usage}\n```\n")
        if arguments := arguments_of(parser):
            parts.append("| argument | what |\n| :-- | :-- |")
            parts += [f"| {_argument(action)} | {_cell(action.help or '')} |" for action in arguments]
        examples = "\n".join(line.strip() for line in (parser.epilog or "").splitlines()[1:])
        parts.append(f"\n```bash\n{examples}\n```\n")
    return "\n".join(parts)


def subparsers() -> Mapping[str, argparse.ArgumentParser]:
    """The parser of each command by name."""
    (action,) = (each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    choices: Mapping[str, argparse.ArgumentParser] = action.choices
    return choices


def arguments_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a command takes, but for --help; argparse has no public list."""
    return [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]


def stages_page() -> str:
    """A line for each stage of dvc.yaml: what it does, which parameters it reads, what it writes."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    rows = ["| stage | what | parameters | writes |", "| :-- | :-- | :-- | :-- |"]
    for name, stage in stages.items():
        body = stage.get("do", stage)
        outputs = [*body.get("outs", []), *body.get("metrics", [])]
        cells = [_names(body.get("params", [])), _names(outputs)]
        rows.append(f"| `{name}` | {_cell(body['desc'])} | {' | '.join(cells)} |")
    return "\n".join(rows)


def architecture_page() -> str:
    """ARCHITECTURE.md without its title, with links that lead somewhere from the site."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("\n")[2]
    text = re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)]+)\)", _site_link, text)
    # Material would load Mermaid's script from the web.
    diagram = "The graph, drawn as text: `dvc dag`. As a table: [stages](../reference/files.md#stages)."
    return re.sub(r"```mermaid\n.*?```", diagram, text, flags=re.DOTALL)


def _site_link(link: re.Match[str]) -> str:
    """A link of the repository's top level as the site has it; its text alone where the site has no such page."""
    if link[2].startswith("docs/"):
        return f"[{link[1]}](../{link[2].removeprefix('docs/')})"
    return link[1] if link[1].startswith("`") else f"{link[1]} (`{link[2]}`)"


def _kind(key: str, schema: Mapping[str, Any]) -> str:
    """Type and bounds of a parameter in words."""
    if key in _CHOICES:
        return f"one of {', '.join(f'`{name}`' for name in _CHOICES[key])}, or `mnv1@<width>`"
    here: Mapping[str, Any] = schema
    for part in key.split("."):
        here = here["properties"][part]
        if "$ref" in here:
            here = schema["$defs"][here["$ref"].rpartition("/")[2]]
    return _words(here)


def _words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return ", or ".join(_words(each) for each in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return f"one of {', '.join(f'`{value}`' for value in schema['enum'])}"
    if schema["type"] == "array":
        least = schema.get("minLength", schema.get("minItems", 0))
        return f"list{f' of at least {least}' if least else ''}, each a {_words(schema['items'])}"
    names = {
        **{"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"},
        "object": "mapping",
    }
    bounds = {
        "minimum": "from {:g}",
        "exclusiveMinimum": "above {:g}",
        "maximum": "to {:g}",
        "exclusiveMaximum": "below {:,}",
        "multipleOf": "in steps of {:g}",
    }
    return ", ".join(
        [names[schema["type"]], *(text.format(schema[key]) for key, text in bounds.items() if key in schema)]
    )


def _argument(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    if not action.option_strings:
        return f"`{metavar}`"
    choices = "\\|".join(map(str, action.choices)) if action.choices else metavar.upper()
    return f"`{', '.join(action.option_strings)}{'' if action.nargs == 0 else f' {choices}'}`"


def _names(entries: list[Any]) -> str:
    """Paths or parameters of a stage, a name each."""
    names = [name for entry in entries for name in (entry if isinstance(entry, dict) else [entry])]
    nested = [
        value for entry in entries if isinstance(entry, dict) for value in entry.values() if isinstance(value, list)
    ]
    if nested:  # parameters of a file: the file's name says nothing here
        names = [name for values in nested for name in values]
    return ", ".join(f"`{name.removeprefix('../../')}`" for name in names)


def _cell(text: str) -> str:
    """Text for a cell of a table."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _sentence(text: str) -> str:
    escaped = html.escape(text, quote=False)
    return f"{escaped[0].upper()}{escaped[1:]}{'' if escaped.endswith('.') else '.'}"


GENERATED: Mapping[str, Callable[[], str]] = {
    "parameters": parameters_page,
    "commands": commands_page,
    "stages": stages_page,
    "architecture": architecture_page,
}
