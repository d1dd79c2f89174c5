from __future__ import annotations

import copy
from typing import Any

import pytest

from mobileyolo.core.errors import ArchitectureError
from mobileyolo.models import bridge
from mobileyolo.models.architecture import ModelDict, mobilenet_rows
from mobileyolo.models.compact import VARIANTS, expand
from tests.tutorial import tutorial


@pytest.mark.parametrize(("variant", "width"), VARIANTS.items())
def test_one_row_becomes_the_network_and_its_four_maps(variant: str, width: float) -> None:
    compact = tutorial(variant)
    expanded = expand(compact)
    assert expanded["backbone"] == [*mobilenet_rows(width), *compact["backbone"][1:]]
    assert {key: value for key, value in expanded.items() if key != "backbone"} == {
        key: value for key, value in compact.items() if key != "backbone"
    }


def test_the_dictionary_is_left_as_it_was() -> None:
    compact = tutorial()
    before = copy.deepcopy(compact)
    expand(compact)
    assert compact == before


def test_a_model_without_a_compact_row_comes_back_as_the_same_object() -> None:
    stock, explicit = bridge.stock_architecture(), expand(tutorial())
    assert expand(stock) is stock
    assert expand(explicit) is explicit


def with_row(section: str, index: int, row: list[Any]) -> ModelDict:
    architecture = tutorial()
    architecture[section][index] = row
    return architecture


def with_inserted(section: str, index: int, row: list[Any]) -> ModelDict:
    architecture = tutorial()
    architecture[section].insert(index, row)
    return architecture


BAD = {
    "no width": (
        with_row("backbone", 0, [-1, 1, "MobileNetV1", []]),
        r"backbone row 1, \[-1, 1, 'MobileNetV1', \[\]\]: has no width; choose one of MobileNetV1_n, ",
    ),
    "unknown variant": (
        with_row("backbone", 0, [-1, 1, "MobileNetV1_x", []]),
        r"backbone row 1, \[-1, 1, 'MobileNetV1_x', \[\]\]: unknown variant 'MobileNetV1_x'; choose one of .*_n, ",
    ),
    "row not first": (
        with_inserted("backbone", 0, [-1, 1, "Conv", [64, 3, 2]]),
        r"backbone row 2, .*'MobileNetV1_n'.*: has to be the first row",
    ),
    "two compact rows": (
        with_row("head", 2, [-1, 1, "MobileNetV1_s", []]),
        r"head row 3, .*'MobileNetV1_s'.*: has to be the first row",
    ),
    "args": (with_row("backbone", 0, [-1, 1, "MobileNetV1_n", [0.5]]), r"backbone row 1, .*: has to be \[-1, 1, Mobil"),
    "repeats": (with_row("backbone", 0, [-1, 2, "MobileNetV1_n", []]), r"backbone row 1, .*: has to be \[-1, 1, Mobil"),
    "reads layer 0": (
        with_row("head", 1, [[-1, 0], 1, "Concat", [1]]),
        r"head row 2, \[\[-1, 0\], .*: reads from 0, but this is layer 8 and .* are 1 to 7",
    ),
    "reads before the first layer": (
        with_row("backbone", 1, [-6, 1, "SPPF", [1024, 5]]),
        r"backbone row 2, .*: reads from -6, but this is layer 5",
    ),
    "reads itself": (
        with_row("head", 1, [[-1, 8], 1, "Concat", [1]]),
        r"head row 2, .*: reads from 8, but this is lay",
    ),
    "reads ahead": (
        with_row("head", 1, [[-1, 12], 1, "Concat", [1]]),
        r"head row 2, .*: reads from 12, but this is la",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_row_that_cannot_be_built_is_named(fault: str) -> None:
    architecture, said = BAD[fault]
    with pytest.raises(ArchitectureError, match=said):
        expand(architecture)
