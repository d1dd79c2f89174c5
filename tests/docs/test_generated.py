"""The reference that is generated from the code says all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from docs.hooks import generated
from mobileyolo.commands import COMMANDS
from tests.docs.pages import ROOT, SITE_PAGES, read


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@pytest.fixture(scope="module")
def values() -> dict[str, object]:
    return dict(leaves(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))))


def test_every_parameter_stands_once_with_its_default(values: dict[str, object]) -> None:
    page = generated.parameters_page()
    for key, value in values.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{key}` |"))
        default = row.split(" | ")[1].strip("`")
        assert yaml.safe_load(default) == value
    assert sum(line.startswith("| `") for line in page.splitlines()) == len(values)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (
            "backbone",
            "one of `mnv1_n`, `mnv1_s`, `mnv1_m`, `yolo11n`, `yolo11s`, `yolo11m`, `yolo11l`, `yolo11x`, or "
            "`mnv1@<width>`",
        ),
        ("seeds", "list of at least 1, each a whole number, from 0, below 2,147,483,648"),
        ("data.dir", "text"),
        ("data.group", "text"),
        ("train.imgsz", "whole number, from 32, in steps of 32"),
        ("train.lr0", "number, above 0"),
        ("train.cos_lr", "`true` or `false`"),
        ("evaluate.split", "one of `auto`, `test`, `val`"),
        ("compare.confidence", "number, above 0.5, below 1"),
        ("validate.quality.contested_box.limit", "number, from 0.5, to 1"),
    ],
)
def test_types_and_bounds_are_those_that_are_checked(key: str, kind: str) -> None:
    assert {parameter.key: parameter.kind for parameter in generated.parameters()}[key] == kind


@pytest.mark.parametrize(
    ("key", "comment"),
    [
        ("train.lrf", "final learning rate as a share of lr0"),
        ("validate.quality.long_image.limit", "longer / shorter side; cleanvision takes 1 / 0.35"),
        ("train.lr0", ""),  # has none
    ],
)
def test_what_params_yaml_says_of_a_parameter_stands_beside_it(key: str, comment: str) -> None:
    assert {parameter.key: parameter.comment for parameter in generated.parameters()}[key] == comment


def test_every_command_stands_there_with_every_option() -> None:
    page = generated.commands_page()
    for name, parser in generated.subparsers().items():
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        # Two blanks or nothing follow an argument's name, but not the first word of a group's description.
        taken = re.findall(r"^  (--[\w-]+|\w[\w-]*(?=  |$))", parser.format_help().partition("examples:")[0], re.M)
        assert f"mobileyolo {name}" in section
        assert [argument for argument in taken if f"| `{argument}" not in section] == []
    assert list(generated.subparsers()) == list(COMMANDS)


def test_every_stage_stands_there() -> None:
    page = generated.stages_page()
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]:
        assert f"| `{stage}` |" in page


def test_links_of_the_architecture_lead_to_the_sites_pages_or_nowhere(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# Title\n\n[a](docs/reference/findings.md#x) [b](dvc.yaml) [`c`](src/c.py)\n\n```mermaid\nx --> y\n```\n"
    (tmp_path / "ARCHITECTURE.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    page = generated.architecture_page()
    assert "[a](../reference/findings.md#x) b (`dvc.yaml`) `c`" in page
    assert "mermaid" not in page
    assert "Title" not in page


def test_what_is_generated_has_its_place_on_a_page() -> None:
    wanted = {
        name for page in SITE_PAGES for name in generated.GENERATED if f"<!-- generated: {name} -->" in read(page)
    }
    assert wanted == set(generated.GENERATED)
