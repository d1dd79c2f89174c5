"""What holds of the pages' text, without running anything: size, links, both languages in step."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
import yaml

from mobileyolo.commands import COMMANDS
from mobileyolo.core import environment
from mobileyolo.core.environment import _DEFAULTS
from tests.docs.pages import (
    CHINESE_README,
    PAGES,
    README,
    ROOT,
    TRANSLATED,
    anchor,
    blocks,
    headings,
    links,
    name,
    prose,
    read,
)

pages = pytest.mark.parametrize("page", PAGES, ids=name)
translated = pytest.mark.parametrize(("english", "chinese"), TRANSLATED, ids=[name(pair[0]) for pair in TRANSLATED])


@pytest.mark.parametrize("page", [README, CHINESE_README], ids=name)
def test_the_readme_can_be_read_in_one_go_and_shows_the_answer(page: Path) -> None:
    assert len(read(page).splitlines()) <= 150
    assert "docs/figures/bccd-difference.png" in links(page)


def test_readme_tutorial_and_own_data_are_there_in_chinese() -> None:
    there = {name(english) for english, _ in TRANSLATED}
    assert there == {"README.md", "docs/tutorial/digits.md", "docs/tutorial/own-data.md", "docs/how-to/own-data.md"}


@translated
def test_both_languages_have_the_same_headings(english: Path, chinese: Path) -> None:
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]


@translated
def test_both_languages_give_the_same_commands(english: Path, chinese: Path) -> None:
    first, second = (
        [(block.language, block.reason, block.commands) for block in blocks(page)] for page in (english, chinese)
    )
    assert [block for block in first if block[0] != "text"] == [block for block in second if block[0] != "text"]


@translated
def test_both_languages_name_the_same_figures(english: Path, chinese: Path) -> None:
    """Every number in the text and the tables, and every piece of code; links have numbers of their own."""

    def named(page: Path) -> Counter[str]:
        text = re.sub(r"\]\([^)]+\)", "]", prose(page))
        return Counter(re.findall(r"`[^`]+`|(?<![\w.])\d[\d,.]*\d|(?<![\w.])\d", " ".join(text.split())))

    assert named(english) == named(chinese)


@translated
def test_both_languages_lead_to_the_same_pages(english: Path, chinese: Path) -> None:
    def led_to(page: Path) -> Counter[str]:
        inside = [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"]
        return Counter(name(path).replace("/zh/", "/") for path in inside)

    other = {"README.md": "README.zh-CN.md"}
    assert led_to(english) == Counter(
        {
            name(README) if path == name(CHINESE_README) else other.get(path, path): n
            for path, n in led_to(chinese).items()
        }
    )


@pages
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert "://" not in link
        assert target.is_file(), f"{name(page)}: {link}"
        if heading and "<!-- generated" not in read(target):  # MkDocs checks those, with their generated headings
            assert heading in {anchor(text) for _, text in headings(target)}, f"{name(page)}: {link}"


@pages
def test_no_block_of_shell_or_python_is_without_its_language(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= {"bash", "python", "text", "yaml"}


@pages
def test_options_that_the_text_names_exist(page: Path) -> None:
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key in re.findall(r"-S ['\"]?([a-z][\w.]*)=", read(page)):
        value = parameters
        for part in key.split("."):
            assert part in value, f"{name(page)}: {key}"
            value = value[part]
    code = re.findall(r"`(mobileyolo [a-z][^`\n]*)`", prose(page))
    code += [line for block in blocks(page) for line in block.text.splitlines() if line.startswith("mobileyolo ")]
    for command in code:
        assert command.split()[1] in COMMANDS, f"{name(page)}: {command}"


def test_every_environment_variable_is_described() -> None:
    page = read(ROOT / "docs/reference/environment.md")
    source = Path(environment.__file__).read_text(encoding="utf-8")
    own = set(re.findall(r"\"((?:MOBILEYOLO|MLFLOW|ULTRALYTICS|YOLO)_\w+)\"", source))
    assert [variable for variable in sorted(own) if f"`{variable}`" not in page] == []
    for variable, value in _DEFAULTS.items():
        assert f"| `{variable}` | `{value}` |" in page


def test_what_continuous_integration_and_contributors_are_told_to_make_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    told = [*PAGES, ROOT / "CONTRIBUTING.md"]
    named = {target for page in told for target in re.findall(r"(?:`|^)make ([a-z]+)", read(page), re.M)}
    assert named - set(targets) == set()


@pytest.mark.parametrize("page", ["how-to/experiments.md", "tutorial/digits.md", "zh/tutorial/digits.md"])
def test_a_page_spells_make_table_out_as_the_makefile_does(page: str) -> None:
    def command(text: str) -> list[str]:
        (line,) = re.findall(r"dvc exp show .*", text.replace("\\\n", " "))
        return shlex.split(line)

    target = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ntable:")[1].split("\n\n")[0]
    (block,) = [each.text for each in blocks(ROOT / "docs" / page) if "dvc exp show" in each.text]
    assert command(block) == command(target)
