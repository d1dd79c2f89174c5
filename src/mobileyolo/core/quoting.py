"""Commands that are printed to be pasted: quoted for Hydra's grammar, by which DVC reads -S, and for the shell.

Pasted they mean the same in bash and in PowerShell, so that nobody has to know for which of them they were printed:

- In double quotes both take every character as it is, but for those in _SPECIAL.
- In single quotes they take those as they are, but not the single quote itself.
- Both join a word of quoted and unquoted pieces, PowerShell only if an unquoted one comes first.
"""

from __future__ import annotations

import re

_UNQUOTED = re.compile(r"[\w./:+=-]*", re.ASCII)  # neither shell reads more into these
_SPECIAL = '$`\\!"\u201c\u201d\u201e'  # PowerShell takes typographic double quotes for double quotes
_PIECES = re.compile(f"[{re.escape(_SPECIAL)}]+|[^{re.escape(_SPECIAL)}]+")

_TEXT = re.compile(r"[\w./:+-]+", re.ASCII)  # as a value of -S it needs no quotes of Hydra's,
_OTHER_TYPE = re.compile(r"null|true|false|[+-]?(?:inf|nan|[\d._e+-]+)", re.IGNORECASE)  # unless it is one of these


def option(key: str, value: object) -> str:
    """One option of `dvc exp run`, to be pasted.

    >>> option("train.cos_lr", False)
    '-S train.cos_lr=false'
    >>> print(option("data.dir", "/data/my helmets"))
    -S "data.dir='/data/my helmets'"
    >>> print(option("seeds", [0, 1]))
    -S "seeds=[0,1]"
    """
    return f"-S {_word(f'{key}={literal(value)}')}"


def literal(value: object) -> str:
    r"""A value in Hydra's grammar, as it comes behind `key=` of -S; not yet quoted for a shell.

    >>> print(literal("C:/it's mine"), literal(["none", "1", 1, True]))
    'C:/it\'s mine' [none,'1',1,true]
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(map(literal, value))}]"
    if not isinstance(value, str):
        return str(value).lower()  # true, 0.1
    if _TEXT.fullmatch(value) and not _OTHER_TYPE.fullmatch(value):
        return value
    # OmegaConf, which takes the value over from Hydra, would put another parameter in place of ${...}.
    text = re.sub(r"(\\*)\$\{", lambda found: f"{found[1] * 2}\\${{", value)
    # To Hydra a backslash is special before a quote only.
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), text) + "'"


def path_word(path: str) -> str:
    """A path as a word of a command, to be pasted.

    >>> print(path_word("/data/my helmets"), path_word("-n"), path_word("$x y"))
    "/data/my helmets" ./-n ./'$'"x y"
    """
    starts_unquoted = _UNQUOTED.fullmatch(path[:1]) and path[:1] not in {"", "-"}
    quoted_whole = path and not path.startswith("-") and not set(path) & set(_SPECIAL)
    return _word(path if starts_unquoted or quoted_whole else f"./{path}")


def _word(text: str) -> str:
    """A text that begins with an unquoted piece, or can be in double quotes as a whole, as one word of a command."""
    if _UNQUOTED.fullmatch(text):
        return text
    if not set(text) & set(_SPECIAL):
        return f'"{text}"'
    found = _UNQUOTED.match(text)
    start = found[0] if found else ""
    pieces = _PIECES.findall(text.removeprefix(start))
    return start + "".join(f"'{piece}'" if piece[0] in _SPECIAL else f'"{piece}"' for piece in pieces)
