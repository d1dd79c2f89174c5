"""Model YAMLs of tutorials, in which one MobileNetV1 row counts as five layers. Pure: no torch, no files.

    - [-1, 1, MobileNetV1_n, []] # 0-4
    - [-1, 1, SPPF, [1024, 5]] # 5

Layers 1 to 4 are the feature maps at strides 4, 8, 16 and 32.
"""

from __future__ import annotations

from mobileyolo.core.errors import ArchitectureError
from mobileyolo.models.architecture import ModelDict, Row, mobilenet_rows

VARIANTS = {"MobileNetV1_n": 0.25, "MobileNetV1_s": 0.5, "MobileNetV1_m": 1.0}  # width multiplier alpha

_EXPLICIT = "MobileNetV1"  # the row of this package's own dictionaries, which a row for each map follows


def expand(architecture: ModelDict) -> ModelDict:
    """The same model with one row for each layer; a model without a compact row is returned unchanged.

    >>> model = {"backbone": [[-1, 1, "MobileNetV1_n", []], [-1, 1, "SPPF", [1024, 5]]], "head": []}
    >>> [row[2] for row in expand(model)["backbone"]]
    ['MobileNetV1', 'Index', 'Index', 'Index', 'Index', 'SPPF']

    Args:
        architecture: model dictionary; it is not changed.

    Raises:
        ArchitectureError: a compact row, or a row that reads from it, is wrong; the message names the row.
    """
    rows = [*architecture["backbone"], *architecture["head"]]
    for position, row in enumerate(rows):
        if row[2] == _EXPLICIT and not row[3]:
            raise ArchitectureError(
                f"{describe(architecture, position)}: has no width; choose one of {', '.join(VARIANTS)}"
            )
    compact = [position for position, row in enumerate(rows) if _is_compact(row)]
    if not compact:
        return architecture
    if compact[0] != 0 or len(compact) > 1:
        position = next(position for position in compact if position != 0)
        raise ArchitectureError(f"{describe(architecture, position)}: has to be the first row of the backbone")
    _check_compact(architecture, rows[0])
    layers = mobilenet_rows(VARIANTS[rows[0][2]])
    for position, row in enumerate(rows[1:], start=1):
        _check_sources(architecture, position, row, len(layers) + position - 1)
    return {**architecture, "backbone": [*layers, *architecture["backbone"][1:]]}


def has_mobilenet(architecture: ModelDict) -> bool:
    """Does a model have a MobileNetV1 row, compact or not?"""
    rows = [*architecture.get("backbone", ()), *architecture.get("head", ())]
    return any(str(name).startswith(_EXPLICIT) for row in rows for name in row[2:3])


def describe(architecture: ModelDict, position: int) -> str:
    """Position and content of a row, for messages.

    >>> describe({"backbone": [[-1, 1, "MobileNetV1_n", []]], "head": [[[-1, 3], 1, "Concat", [1]]]}, position=1)
    "head row 1, [[-1, 3], 1, 'Concat', [1]]"

    Args:
        architecture: model dictionary, compact or not.
        position: of the row, counted from 0 through backbone and head.
    """
    backbone = architecture["backbone"]
    section, number = ("backbone", position) if position < len(backbone) else ("head", position - len(backbone))
    return f"{section} row {number + 1}, {architecture[section][number]}"


def _is_compact(row: Row) -> bool:
    return isinstance(row[2], str) and row[2].startswith(_EXPLICIT) and row[2] != _EXPLICIT


def _check_compact(architecture: ModelDict, row: Row) -> None:
    source, repeats, name, args = row
    if name not in VARIANTS:
        raise ArchitectureError(
            f"{describe(architecture, 0)}: unknown variant {name!r}; choose one of {', '.join(VARIANTS)}"
        )
    if (source, repeats, args) != (-1, 1, []):
        raise ArchitectureError(f"{describe(architecture, 0)}: has to be [-1, 1, {name}, []]")


def _check_sources(architecture: ModelDict, position: int, row: Row, layer: int) -> None:
    """Raise unless every source of a row is an earlier layer, and one with a single map unless the row picks one."""
    source, _, name, *_ = row
    first = 0 if name == "Index" else 1
    for index in source if isinstance(source, list) else [source]:
        absolute = index if index >= 0 else layer + index
        if not first <= absolute < layer:
            raise ArchitectureError(
                f"{describe(architecture, position)}: reads from {index}, but this is layer {layer} and the layers "
                f"with a map before it are 1 to {layer - 1} (the backbone's row counts as 0 to 4; 1 to 4 are its "
                "strides 4, 8, 16, 32)"
            )
