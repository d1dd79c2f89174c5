from __future__ import annotations

import copy
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mobileyolo.core.config import leaves, load_params
from mobileyolo.core.errors import ConfigError
from mobileyolo.parameters import check_parameters

SHIPPED = Path(__file__).parents[3] / "params.yaml"
VALUES: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
LEAVES = [key for key, _ in leaves(VALUES)]
SECTIONS = sorted({key.rpartition(".")[0] for key in LEAVES} - {""})

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 1000)
    | st.integers()
    | st.floats()
    | st.sampled_from([0.0, 0.1, 0.5, 1.0, "none", "auto", "baseline", "mnv1_s", "yolo11n", "val", "test", "AdamW"])
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.dates(min_value=date(1970, 1, 1))
    | st.binary(max_size=8)
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3) | st.integers(0, 2), inner),
    max_leaves=5,
)


def changed(key: str, value: object) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    *sections, last = key.split(".")
    section = values
    for part in sections:
        section = section[part]
    section[last] = value
    return values


def error_of(values: dict[str, Any]) -> str:
    """What is wrong with them; "" if nothing is."""
    try:
        check_parameters(values)
    except ConfigError as error:
        return str(error)
    return ""


@given(st.sampled_from(LEAVES), ANY)
@example("init.backbone", "x" * 300)
@example("init.teacher", "\0")
@example("train.teacher", "mnv1@1e400")
@settings(max_examples=400)
def test_any_value_of_a_key_is_valid_or_one_error_that_names_the_key(key: str, value: object) -> None:
    lines = error_of(changed(key, value)).removeprefix("params.yaml: ").split("\nparams.yaml: ")
    assert [line for line in lines if line and key not in line] == []


@given(st.sampled_from(SECTIONS), ANY)
def test_anything_in_place_of_a_section_is_an_error_that_names_the_section(section: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"params.yaml: {section}"):
        check_parameters(changed(section, value))


@given(
    st.sampled_from(["", *(f"{section}." for section in SECTIONS)]), st.text("abcdef_1", min_size=1, max_size=8), ANY
)
def test_a_key_that_there_is_not_is_an_error_that_names_it(section: str, name: str, value: object) -> None:
    key = f"{section}{name}"
    with pytest.raises(ConfigError, match=f"params.yaml: {key}: unknown key"):
        check_parameters(changed(key, value))


@given(ANY)
def test_whatever_else_the_file_holds_is_an_error_that_names_it(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "params.yaml"
    file.write_text(yaml.safe_dump(value), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(f"{file}: ")):
        check_parameters(load_params(file).values, file)


NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "seeds": st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4, unique=True),
    "train.epochs": st.integers(1, 1000),
    "train.imgsz": st.integers(1, 40).map(lambda side: 32 * side),
    "validate.slack": st.floats(0, 1),
    "validate.tolerance.missing_label": st.floats(0, 1),
    "data.dir": st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    "digits.seed": st.integers(0, 2**31 - 1),
}


@given(st.fixed_dictionaries(NUMBERS))
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any]) -> None:
    values = copy.deepcopy(VALUES)
    for key, value in chosen.items():
        *sections, last = key.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[last] = value
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    file.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    read = check_parameters(load_params(file).values, file)
    assert read == check_parameters(values)
    assert dict(leaves(read.model_dump(by_alias=True))).items() >= {**chosen, "seeds": tuple(chosen["seeds"])}.items()
