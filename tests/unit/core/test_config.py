from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import dump_yaml

from mobileyolo.core.backbones import BACKBONES
from mobileyolo.core.config import load_params
from mobileyolo.core.errors import ConfigError
from mobileyolo.models.parameters import weights_path
from mobileyolo.parameters import Parameters, check_parameters

SHIPPED = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return loaded


def load(tmp_path: Path, values: object) -> Parameters:
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return check_parameters(load_params(file).values, file)


def set_key(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


def test_the_shipped_parameters_are_valid() -> None:
    parameters = check_parameters(load_params(SHIPPED).values)
    assert (parameters.backbone, parameters.baseline) == ("mnv1_n", "yolo11n")


@pytest.mark.parametrize("backbone", [*BACKBONES, "mnv1@0.75", "mnv1@2"])
def test_every_backbone_can_stand_on_either_side(tmp_path: Path, values: dict[str, Any], backbone: str) -> None:
    assert load(tmp_path, values | {"backbone": backbone, "baseline": backbone}).backbone == backbone


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("backbone", "nonsense", "backbone: 'nonsense': unknown backbone; choose one of mnv1_n, mnv1_s, mnv1_m"),
        ("backbone", "mnv1@", "backbone: 'mnv1@': the width multiplier behind mnv1@ should be a number in (0, 2]"),
        ("backbone", "mnv1@2.5", "backbone: 'mnv1@2.5': the width multiplier behind mnv1@ should be a number"),
        ("backbone", "mnv1@nan", "backbone: 'mnv1@nan': the width multiplier behind mnv1@ should be a number"),
        ("backbone", "mnv1@0.750", "backbone: 'mnv1@0.750': write mnv1@0.75"),
        ("backbone", "mnv1@0.25", "backbone: 'mnv1@0.25': write mnv1_n"),
        ("backbone", "x; touch pwned", "backbone: 'x; touch pwned': unknown backbone"),
        ("backbone", None, "backbone: None: unknown backbone"),
        ("trian.epochs", 3, "trian: unknown key; did you mean 'train'? choose one of backbone, baseline, seeds"),
        ("train.epoch", 3, "train.epoch: unknown key; did you mean 'epochs'? choose one of epochs, imgsz"),
        ("validate.tolerance.bad", 0, "validate.tolerance.bad: unknown key; choose one of unreadable_image"),
        ("validate.slack", 2, "validate.slack: 2: input should be less than or equal to 1"),
        ("validate.quality.tinybox.limit", 0, "validate.quality.tinybox: unknown key; did you mean 'tiny_box'?"),
        ("validate.quality.tiny_box.limt", 0, "validate.quality.tiny_box.limt: unknown key; did you mean 'limit'?"),
        (
            "validate.quality.tiny_box.limit",
            8,
            "validate.quality.tiny_box.limit: 8: input should be less than or equal",
        ),
        ("validate.quality.tiny_box.share", -1, "validate.quality.tiny_box.share: -1: input should be greater than or"),
        ("validate.quality.long_image.limit", 0.5, "validate.quality.long_image.limit: 0.5: input should be greater"),
        (
            "validate.quality.contested_box.limit",
            0.4,
            "validate.quality.contested_box.limit: 0.4: input should be great",
        ),
        (
            "validate.quality.near_duplicate_in_split.limit",
            5,
            "validate.quality.near_duplicate_in_split.limit: 5: input",
        ),
        ("validate.quality.few_scenes", 50, "validate.quality.few_scenes: 50: input should be a valid dictionary"),
        ("train.epochs", "3", "train.epochs: '3': input should be a valid integer"),
        ("train.epochs", 0, "train.epochs: 0: input should be greater than or equal to 1"),
        ("train.epochs", 2.5, "train.epochs: 2.5: input should be a valid integer"),
        ("train.epochs", True, "train.epochs: True: input should be a valid integer"),
        ("train.imgsz", 100, "train.imgsz: 100: input should be a multiple of 32"),
        ("train.optimizer", "adam", "train.optimizer: 'adam': input should be 'auto', 'SGD'"),
        ("train.mosaic", 1.5, "train.mosaic: 1.5: input should be less than or equal to 1"),
        ("evaluate.split", "train", "evaluate.split: 'train': input should be 'auto', 'test' or 'val'"),
        ("compare.confidence", 95, "compare.confidence: 95: input should be less than 1"),
        ("seeds", [], "seeds: []: value should have at least 1 item"),
        ("seeds", 3, "seeds: 3: input should be a list of whole numbers, such as [3]"),
        ("seeds", [1, 1], "seeds: [1, 1]: a seed occurs twice"),
        ("seeds", ["0; touch pwned"], "seeds.0: '0; touch pwned': input should be a valid integer"),
        ("seeds", [-1], "seeds.0: -1: input should be greater than or equal to 0"),
        ("data.dir", "", "data.dir: '': string should have at least 1 character"),
        (
            "data.group",
            "(a",
            "data.group: '(a': neither none nor a regular expression: missing ), unterminated subpattern",
        ),
        (
            "data.group",
            "a{99999999999}",
            "data.group: 'a{99999999999}': neither none nor a regular expression: the rep",
        ),
        ("data.group", 7, "data.group: 7: input should be a valid string"),
        ("data.group", "", "data.group: '': string should have at least 1 character"),
        ("data.goup", "x", "data.goup: unknown key; did you mean 'group'? choose one of dir, group"),
        ("data", "digits", "data: 'digits': input should be a valid dictionary"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_the_choices(
    tmp_path: Path, values: dict[str, Any], key: str, value: object, said: str
) -> None:
    set_key(values, key, value)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, values)
    assert f"{tmp_path / 'params.yaml'}: {said}" in str(caught.value)


def test_every_problem_is_told_at_once(tmp_path: Path, values: dict[str, Any]) -> None:
    set_key(values, "train.epochs", 0)
    set_key(values, "evaluate.iou", 7)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, values)
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_key_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    del values["train"]["lr0"]
    with pytest.raises(ConfigError, match=r"train\.lr0: missing key"):
        load(tmp_path, values)


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "just text", "a: [1\n", "!!python/object/apply:os.getcwd []"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        load_params(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff", "not UTF-8"), (b"[" * 5000, "nested too deeply"), (None, "Is a directory")],
    ids=["bytes", "brackets", "folder"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "params.yaml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"params\.yaml: {message}"):
        load_params(file)


def test_parameters_cannot_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        check_parameters(load_params(SHIPPED).values).train.epochs = 3


def test_weights_are_looked_for_by_name_in_their_folder_or_by_absolute_path(tmp_path: Path) -> None:
    assert weights_path("yolo11n.pt") == Path("data/weights/yolo11n.pt")
    assert weights_path(str(tmp_path / "m.pt")) == tmp_path / "m.pt"
    assert weights_path("none") is None


@pytest.mark.parametrize("teacher", ["none", "baseline", "yolo11s", "yolo11x", "mnv1_m", "mnv1@1.5"])
def test_a_teacher_is_nobody_the_baseline_or_any_backbone(tmp_path: Path, values: dict[str, Any], teacher: str) -> None:
    set_key(values, "train.teacher", teacher)
    assert load(tmp_path, values).train.teacher == teacher


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.teacher", "my.pt", "'my.pt': choose none, baseline, one of mnv1_n, .*; a file goes to init.teacher$"),
        ("train.teacher", "mnv1@0.5", "'mnv1@0.5': write mnv1_s"),
        ("train.teacher", 3, "3: choose none, baseline, one of"),
        ("train.taught", "baseline", "'baseline': input should be 'both' or 'candidate'"),
    ],
)
def test_another_teacher_or_another_arm_to_be_taught_is_refused(
    tmp_path: Path, values: dict[str, Any], key: str, value: object, said: str
) -> None:
    set_key(values, key, value)
    with pytest.raises(ConfigError, match=f"{key}: {said}"):
        load(tmp_path, values)


def test_two_teachers_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    set_key(values, "train.teacher", "yolo11s")
    set_key(values, "init.teacher", "my.pt")
    with pytest.raises(ConfigError, match=r"train\.teacher: 'yolo11s': init\.teacher is 'my\.pt'; set one of both"):
        load(tmp_path, values)


def test_imagenet_weights_are_advised_for_the_teacher_as_well(tmp_path: Path, values: dict[str, Any]) -> None:
    set_key(values, "train.teacher", "yolo11m")
    set_key(values, "init.backbone", "imagenet")
    with pytest.raises(ConfigError, match=r"mobileyolo fetch mobilenet_v1_0\.25_224 yolo11n-cls\.pt yolo11m-cls\.pt$"):
        load(tmp_path, values)


def test_weights_that_are_not_there_are_named(tmp_path: Path, values: dict[str, Any]) -> None:
    set_key(values, "init.detector", "gone.pt")
    with pytest.raises(ConfigError, match=r"init\.detector: 'gone\.pt': no file"):
        load(tmp_path, values)


def test_backbones_come_from_a_file_or_a_folder_with_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data/weights/mine"
    folder.mkdir(parents=True)
    (folder / ".download-1").touch()
    set_key(values, "init.backbone", "mine")
    with pytest.raises(ConfigError, match=r"init\.backbone: 'mine': no file in the folder .*mine; put it there"):
        load(tmp_path, values)
    (folder / "mine.pt").touch()
    assert load(tmp_path, values).init.backbone == "mine"
    set_key(values, "init.backbone", "mine/mine.pt")
    assert load(tmp_path, values).init.backbone == "mine/mine.pt"
    set_key(values, "init.detector", "mine")  # a folder is for backbones
    with pytest.raises(ConfigError, match=r"init\.detector: 'mine': no file "):
        load(tmp_path, values)


@pytest.mark.parametrize(
    ("backbone", "baseline", "said"),
    [
        ("mnv1_n", "yolo11n", "imagenet; ImageNet weights: mobileyolo fetch mobilenet_v1_0.25_224 yolo11n-cls.pt$"),
        ("mnv1@0.75", "yolo11s", "mobileyolo fetch mobilenet_v1_0.75_224 yolo11s-cls.pt$"),
        ("mnv1_m", "mnv1_m", "mobileyolo fetch mobilenet_v1_1.0_224$"),
        ("mnv1@1.5", "yolo11n", "fetch yolo11n-cls.pt; .* published for the widths 0.25, 0.5, .*, not for mnv1@1.5$"),
    ],
)
def test_imagenet_weights_that_are_not_there_yet_are_named_for_both_arms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], backbone: str, baseline: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    values |= {
        "backbone": backbone,
        "baseline": baseline,
        "init": {"backbone": "imagenet", "detector": "none", "teacher": "none"},
    }
    with pytest.raises(ConfigError, match=rf"init\.backbone: 'imagenet': no file or folder .*{said}"):
        load(tmp_path, values)


@pytest.mark.parametrize("value", [1e-05, 1.5e-07, -2e-06, 1e22, 0.01, 5, True, "1e", "e5", "1e-05x"])
def test_a_value_is_read_as_dvc_writes_it(tmp_path: Path, value: object) -> None:
    """DVC writes YAML 1.2, where 1e-05 is a number; to PyYAML it is a text."""
    dump_yaml(tmp_path / "params.yaml", {"train": {"lr0": value}})
    assert load_params(tmp_path / "params.yaml").values == {"train": {"lr0": value}}
