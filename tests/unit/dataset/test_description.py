from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.description import CLASSES, Entry, class_names
from mobileyolo.dataset.layout import find_layout
from tests.descriptions import FULL, LOOP, NAMES, SPLITS, TRAIN, describe, refusal
from tests.pipes import make_pipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Keys
        ("val: val/images\nnames: [a]", "data.yaml: the key 'train' is missing; it names the folder of"),
        ("train: train/images\nnames: [a]", "data.yaml: the key 'val' is missing"),
        ("train: train/images\nval:\nnames: [a]", "data.yaml:2: the key 'val' is empty"),
        ("train: train/images\nval: []\nnames: [a]", "data.yaml:2: the key 'val' is empty"),
        ("train: train/images\nvalid: ''\nnames: [a]", "data.yaml:2: the key 'val' is empty"),
        (f"{FULL}kpt_shape: [17, 3]", "data.yaml:4: kpt_shape: a list of 2: this is a pose dataset"),
        (f"{FULL}val: elsewhere", "data.yaml:4: val: is in line 2 already, and YAML would silently use the last one"),
        (f"{FULL}'val': elsewhere", "data.yaml:4: val: is in line 2 already"),
        (f"{FULL}author: a\nauthor: a", "data.yaml:5: author: is in line 4 already"),
        (
            f"x: &x\n  a: 1\n{FULL}<<: *x",
            "data.yaml:6: <<: not a plain key; write every key as text, without << and lists",
        ),
        (f"{FULL}? [a, b]\n: c", "data.yaml:4: a list of 2: not a plain key"),
        # Names
        (SPLITS, "data.yaml: the key 'names' is missing; it lists the class names"),
        (f"{SPLITS}names:", "data.yaml:3: names: nothing: expected a list of class names, or id: name pairs"),
        (f"{SPLITS}names: []", "data.yaml:3: names: an empty list: expected"),
        (f"{SPLITS}names: {{}}", "data.yaml:3: names: an empty mapping: expected"),
        (f"{SPLITS}names: square, bar", "data.yaml:3: names: 'square, bar': expected a list"),
        (f"{SPLITS}names: 2", "data.yaml:3: names: 2: expected a list"),
        (f"{SPLITS}names: !!set {{a, b}}", "data.yaml:3: names: a mapping of 2: expected a list"),
        (f"{SPLITS}names: !!python/name:os.system", "data.yaml:3: names: 'tag:yaml.org,2002:python/name:os.system '"),
        (f"{SPLITS}names: !!python/tuple [a, b]", "data.yaml:3: names: a list of 2: expected a list"),
        (f"{SPLITS}names: {{0: a, 2: b}}", "data.yaml:3: names: ids 0, 2: expected 0 to 1, each once"),
        (f"{SPLITS}names: {{1: a, 2: b}}", "data.yaml:3: names: ids 1, 2: expected 0 to 1"),
        (f"{SPLITS}names: {{a: 0, b: 1}}", "data.yaml:3: names: ids a, b: expected 0 to 1"),
        (f"{SPLITS}names: {{0: a, 0x1: b}}", "data.yaml:3: names: ids 0, 0x1: expected 0 to 1"),
        (f"{SPLITS}names:\n  0: a\n  1: b\n  0: c", "data.yaml:6: 0: is in line 4 already"),
        (f"{SPLITS}names:\n- a\n- no", "data.yaml:5: names: no: not a text; put the class name in quotes"),
        (f"{SPLITS}names:\n- a\n- 1.0", "data.yaml:5: names: 1.0: not a text"),
        (f"{SPLITS}names:\n- a\n- 010", "data.yaml:5: names: 010: not a text"),
        (f"{SPLITS}names:\n- a\n-", "data.yaml:5: names: nothing: not a text"),
        (f"{SPLITS}names:\n- a\n- 2020-01-01", "data.yaml:5: names: 2020-01-01: not a text"),
        (f"{SPLITS}names:\n- a\n- b: c", "data.yaml:5: names: a mapping of 1: not a text"),
        (f"{SPLITS}names:\n- a\n- [b]", "data.yaml:5: names: a list of 1: not a text"),
        (
            f"{SPLITS}names:\n- a\n- b\n- a",
            "data.yaml:6: names: 'a': two classes have this name, the other in ~/data.yaml:4",
        ),
        (f"{SPLITS}names:\n- '1'\n- 1", "data.yaml:5: names: 1: two classes have this name"),
        (f"{SPLITS}names:\n- a\n- ' '", "data.yaml:5: names: ' ': class 1 has no name"),
        (f'{SPLITS}names:\n- a\n- "\\e[2J"', r"data.yaml:5: names: '\x1b[2J': has the control character '\x1b'"),
        (f'{SPLITS}names:\n- a\n- "\\ud800"', r"data.yaml:5: names: '\ud800': has the control character '\ud800'"),
        (f"{FULL}nc: 3", "data.yaml:4: nc: 3: but names has 2; fix one of them, or delete nc"),
        (f"nc: 3\n{FULL}", "data.yaml:1: nc: 3: but names has 2"),
        (f"{FULL}nc: two", "data.yaml:4: nc: 'two': but names has 2"),
        (f"{FULL}nc: [2]", "data.yaml:4: nc: a list of 1: but names has 2"),
        (f"{FULL}nc: {'2' * 5000}", "data.yaml:4: nc: 2222"),
        (f"{SPLITS}nc: 0", "data.yaml:3: nc: 0: expected a number of classes"),
        (f"{SPLITS}nc: 1.5", "data.yaml:3: nc: 1.5: expected a number of classes"),
        (f"{SPLITS}nc: many\nnames:", "data.yaml:3: nc: 'many': expected a number of classes"),
        (f"{FULL}channels: 1", "data.yaml:4: channels: 1: not supported; images are read with 3 channels"),
        (f"{FULL}channels: '10'", "data.yaml:4: channels: '10': not supported"),
        # Folders
        (f"{FULL}path: elsewhere", "data.yaml:4: path: 'elsewhere': no such folder; without this key paths start at"),
        (f"{FULL}path: data.yaml", "data.yaml:4: path: 'data.yaml': no such folder"),
        (f"{FULL}path: 2024", "data.yaml:4: path: 2024: expected the folder that other paths start at; numbers need"),
        (f"{FULL}path: [a]", "data.yaml:4: path: a list of 1: expected the folder"),
        (f'{FULL}path: "a\\0b"', r"data.yaml:4: path: 'a\x00b': has the control character '\x00'"),
        (
            "names: [a]\ntrain: nowhere\nval: val/images",
            "data.yaml:2: train: 'nowhere': neither a folder nor a .txt file",
        ),
        (f"names: [a]\ntrain: {'x' * 5000}\nval: val/images", "data.yaml:2: train: 'xxxx"),
        (f"{FULL}test: data.yaml", "data.yaml:4: test: 'data.yaml': neither a folder nor a .txt file at ~/data.yaml"),
        (f"{FULL}test: {TRAIN[0]}", "data.yaml:4: test: 'train/images/000.png': neither a folder nor a .txt file"),
        (f"{FULL}test: 1", "data.yaml:4: test: 1: expected a folder of images, or a .txt file that lists images"),
        (f"{FULL}test: no", "data.yaml:4: test: no: expected a folder"),
        (f"{FULL}test: {{a: b}}", "data.yaml:4: test: a mapping of 1: expected a folder"),
        (f"{FULL}test:\n- test/images\n- 7", "data.yaml:6: test: 7: expected a folder"),
        (f"{FULL}test:\n- test/images\n- [test/images]", "data.yaml:6: test: a list of 1: expected a folder"),
        (f"{FULL}test: /", "data.yaml:4: test: '/': lies outside ~; DVC watches only that folder: move or link"),
        (f"{FULL}test: ..", "data.yaml:4: test: '..': lies outside ~"),
        (f"{FULL}test: ../..", "data.yaml:4: test: '../..': lies outside ~"),
        (
            "names: [a]\ntrain: /dev/null\nval: val/images",
            "data.yaml:2: train: '/dev/null': neither a folder nor a .txt",
        ),
        # YAML
        ("", "data.yaml:1: expected the keys train, val and names, found an empty file"),
        ("\n# nothing\n", "data.yaml:1: expected the keys train, val and names, found an empty file"),
        ("\n- a\n- b", "data.yaml:2: expected the keys train, val and names, found a list of 2"),
        ("square", "data.yaml:1: expected the keys train, val and names, found 'square'"),
        ("!!python/object/apply:os.system ['exit 1']", "data.yaml:1: expected the keys"),
        (f"{SPLITS}names: [a", "data.yaml:3: not YAML: while parsing a flow sequence; expected ',' or ']'"),
        (f"{SPLITS}names:\n\t- a", "data.yaml:4: not YAML: while scanning for the next token; found character '\\t'"),
        (f"{SPLITS}names: *a", "data.yaml:3: not YAML: found undefined alias 'a'"),
        (f"{FULL}---\n{FULL}", "data.yaml:4: not YAML: expected a single document"),
        (f"{FULL}a: b: c", "data.yaml:4: not YAML: mapping values are not allowed here"),
        (f"{FULL}a: !b!c d", "data.yaml:4: not YAML: while parsing a node; found undefined tag handle '!b!'"),
        (f'{FULL}a: "\\U7FFFFFFF"', "data.yaml:4: not YAML: "),
        (f"%YAML {'1' * 5000}.1\n---\n{FULL}", "data.yaml:1: not YAML: "),
        (f"{FULL}a: \x00", r"data.yaml:4: not YAML: has the control character '\x00'"),
        (f"{FULL}a: \x1b[2J", r"data.yaml:4: not YAML: has the control character '\x1b'"),
        (f"{FULL}# Größe".encode("latin-1"), "data.yaml:4: byte 0xf6 is not UTF-8; save it as UTF-8"),
        (FULL.encode("utf-16"), "data.yaml: UTF-16 text; save it as UTF-8"),
        (FULL.encode("utf-32"), "data.yaml: UTF-32 text; save it as UTF-8"),
        (FULL.encode("utf-16-le"), r"data.yaml:1: not YAML: has the control character '\x00'"),
        (b"#" * 1_000_001, "data.yaml: 1,000,001 bytes; no dataset's description is larger than 1 MB"),
        ("[" * 9999, "data.yaml:1: nested too deeply for a dataset's description"),
        (f"{FULL}{'- ' * 9999}", "data.yaml:4: not YAML"),
        (f"{FULL}x: {'- ' * 9999}", "data.yaml:4: not YAML"),
        (f"{FULL}x:\n{'- ' * 9999}", "data.yaml:5: nested too deeply"),
        ("a: &a [*a]\n" + SPLITS + "names: *a", "data.yaml:1: names: a list of 1: not a text"),
    ],
)
def test_a_wrong_description_is_refused_with_file_and_line(dataset: Path, text: str | bytes, message: str) -> None:
    describe(dataset, text)
    assert refusal(dataset).startswith(f"~/{message}")


def test_a_bomb_of_aliases_is_neither_unfolded_nor_printed(dataset: Path) -> None:
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    describe(dataset, f"a0: &a0 lol\n{bomb}{FULL}")
    assert find_layout(dataset).names == NAMES
    describe(dataset, f"a0: &a0 lol\n{bomb}{SPLITS}names: *a29")
    assert "data.yaml:29: names: a list of 9: not a text" in refusal(dataset)


def test_a_description_of_many_classes_is_read(dataset: Path) -> None:
    describe(dataset, SPLITS + "names:\n" + "".join(f"  {n}: class {n}\n" for n in range(3000)))
    assert len(find_layout(dataset).names) == 3000


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("[square, bar]", NAMES),
        ("{1: bar, 0: square}", NAMES),
        ("{'0': square, '1': bar}", NAMES),
        ("[0, 1, 10]", ("0", "1", "10")),
        ("['010', '1.0', 'no']", ("010", "1.0", "no")),
        ('["a\\nb", "a\\tb"]', ("a\nb", "a\tb")),
        ("['<b>', '**b**', '&amp;', '名前', '👩‍🚀']", ("<b>", "**b**", "&amp;", "名前", "👩‍🚀")),
        ("&names [square, bar]\nother: *names", NAMES),
        ("[square, bar]\nnc: 2.0", NAMES),
        ("[square, bar]\nnc: '2'", NAMES),
        ("[square, bar]\nnc:", NAMES),
        ("[square, bar]\nkpt_shape: null", NAMES),
        ("[square, bar]\ndownload: !!python/object/apply:os.system ['exit 1']", NAMES),  # never looked at
    ],
)
def test_class_names_may_be_any_text(dataset: Path, names: str, expected: tuple[str, ...]) -> None:
    describe(dataset, f"{SPLITS}names: {names}")
    assert find_layout(dataset).names == expected


@pytest.mark.parametrize(
    "key", ["val", "valid", "validation", "dev", "minival"]
)  # Ultralytics takes the first and third
def test_the_key_of_a_split_may_be_any_of_its_names(dataset: Path, key: str) -> None:
    describe(dataset, FULL.replace("val:", f"{key}:", 1))
    assert set(find_layout(dataset).images) == {"train", "val"}


# The description's file


def folder_for_a_file(root: Path) -> None:
    (root / "data.yaml").unlink()
    (root / "data.yaml").mkdir()


def linked_to(target: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / "data.yaml").unlink()
        (root / "data.yaml").symlink_to(target)

    return change


def fifo(root: Path) -> None:
    (root / "data.yaml").unlink()
    make_pipe(root / "data.yaml")


def two_other_names(root: Path) -> None:
    shutil.copy(root / "data.yaml", root / "b.yaml")
    (root / "data.yaml").rename(root / "a.yml")


def one_other_name_and_a_hidden_one(root: Path) -> None:
    shutil.copy(root / "data.yaml", root / "._b.yaml")
    (root / "data.yaml").rename(root / "b.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shutil.rmtree, "~: no such folder; data.dir has to name the folder of a YOLO dataset"),
        (folder_for_a_file, "~/data.yaml: a folder, not a file"),
        (fifo, "~/data.yaml: not a regular file"),
        (linked_to("nowhere"), "~/data.yaml: No such file or directory"),
        (linked_to("data.yaml"), f"~/data.yaml: {LOOP}"),
        (linked_to("/dev/zero"), "~/data.yaml: not a regular file"),
        (two_other_names, "~: which of a.yml, b.yaml describes the dataset? Name that one data.yaml"),
        (one_other_name_and_a_hidden_one, None),
        (lambda root: shutil.copy(root / "data.yaml", root / "x.yaml"), None),  # data.yaml wins
    ],
)
def test_the_description_has_to_be_one_file(
    dataset: Path, change: Callable[[Path], object], message: str | None
) -> None:
    change(dataset)
    if message is None:
        assert find_layout(dataset).names == NAMES
    else:
        assert refusal(dataset) == message


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "loop"])
def test_a_folder_that_can_not_be_reached_is_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DatasetError, match="no such folder"):
        find_layout(tmp_path / name)


def test_there_may_be_thirty_thousand_classes_and_no_more() -> None:
    entries = [Entry(f"c{number}", f"data.yaml:{number + 1}") for number in range(CLASSES + 1)]
    assert len(class_names(entries[:-1])) == 30_000
    with pytest.raises(DatasetError, match=r"data\.yaml:30001: there are more than 30,000 class names"):
        class_names(entries)
