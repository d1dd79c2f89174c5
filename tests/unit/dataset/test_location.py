from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset import location
from mobileyolo.dataset.layout import check_data_dir, find_layout
from tests.foreign import write_bare, write_coco, write_labelme, write_voc

Check = Callable[[Path], object]
FLAT, VOC, COCO = "images and YOLO labels without splits", "Pascal VOC (.xml files)", "COCO (.json files)"


@pytest.fixture(params=[check_data_dir, find_layout], ids=["before DVC", "in validate"])
def check(request: pytest.FixtureRequest) -> Check:
    """Both places that say it."""
    function: Check = request.param
    return function


def refusal(check: Check, root: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        check(root)
    return str(caught.value)


@pytest.mark.parametrize("place", [".", "train/images", ".dvc"])
def test_a_dvcignore_in_the_dataset_is_refused_before_dvc_would_not_see_its_changes(dataset: Path, place: str) -> None:
    check_data_dir(dataset)
    file = dataset / place / ".dvcignore"
    file.parent.mkdir(exist_ok=True)
    file.write_text("*\n", encoding="utf-8")
    assert refusal(check_data_dir, dataset).startswith(
        f"{file}: with this file in data.dir, DVC can't watch the dataset"
    )
    assert find_layout(dataset).images  # which needs no DVC


def test_a_missing_folder_is_named(check: Check, tmp_path: Path) -> None:
    root = tmp_path / "helmets"
    assert refusal(check, root) == f"{root}: no such folder; data.dir has to name the folder of a YOLO dataset"


def test_a_missing_relative_folder_is_named_with_its_absolute_path(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"data/helmets: no such folder ({tmp_path / 'data/helmets'})" in refusal(check, Path("data/helmets"))


def test_the_home_folder_is_written_out(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert refusal(check, Path("~/helmets")) == f"~/helmets: '~' is not expanded here; write {tmp_path / 'helmets'}"


@pytest.mark.parametrize(
    ("name", "advice"), [("helmets.zip", "unpack it"), ("helmets.tar.gz", "unpack it"), ("a.jpg", "name the folder")]
)
def test_a_file_is_told_from_an_archive(check: Check, name: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert advice in refusal(check, tmp_path / name)


@pytest.mark.parametrize(
    ("write", "what", "command"),
    [(write_bare, FLAT, "bare"), (write_voc, VOC, "voc"), (write_coco, COCO, "coco")],
)
def test_another_format_is_recognised_and_its_import_named(
    check: Check, write: Callable[[Path], Path], what: str, command: str, tmp_path: Path
) -> None:
    root = write(tmp_path / "source")
    message = refusal(check, root)
    assert f"{root}: no YOLO dataset; it looks like {what}." in message
    assert f"\n  mobileyolo import {command} {root} {root}-yolo" in message


def test_a_flat_folder_without_class_names_is_asked_for_them(check: Check, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.txt"):
        (tmp_path / name).touch()
    assert refusal(check, tmp_path).endswith(' --names "<name of class 0>,<name of class 1>"')


def test_a_path_with_spaces_is_quoted_in_the_command(check: Check, tmp_path: Path) -> None:
    root = write_voc(tmp_path / "my data")
    assert f'import voc "{root}" "{root}-yolo"' in refusal(check, root)


def test_an_empty_folder_is_told_what_is_looked_for(check: Check, tmp_path: Path) -> None:
    assert f"{tmp_path}: no YOLO dataset: looked for data.yaml" in refusal(check, tmp_path)


def test_splits_without_a_val_folder_are_not_sent_to_an_import(check: Check, dataset: Path) -> None:
    shutil.rmtree(dataset / "val")
    (dataset / "data.yaml").unlink(missing_ok=True)
    assert "mobileyolo import" not in refusal(check, dataset)


def test_a_file_of_json_for_each_image_is_taken_for_labelme_and_not_for_coco(check: Check, tmp_path: Path) -> None:
    said = refusal(check, write_labelme(tmp_path / "source"))
    assert "it looks like labelme (a .json file for each image)" in said
    assert "mobileyolo import labelme " in said


def test_labels_beside_such_files_are_imported_as_they_are(check: Check, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.json", "a.txt", "notes.json"):
        (tmp_path / name).write_text(json.dumps({}), encoding="utf-8")
    assert refusal(check, tmp_path).endswith(f"mobileyolo import bare {tmp_path} {tmp_path}-yolo")


def test_a_dataset_passes_under_any_name_of_its_yaml_file(dataset: Path) -> None:
    check_data_dir(dataset)
    description = {"train": "train/images", "val": "val/images", "names": ["a", "b"]}
    for split in ("train", "val"):
        (dataset / split).rename(dataset / f"{split}-moved")
    (dataset / "data.yaml").unlink(missing_ok=True)
    (dataset / "helmets.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    check_data_dir(dataset)


def test_a_folder_of_too_many_files_is_left_to_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_voc(tmp_path / "source")
    monkeypatch.setattr(location, "MOST_ENTRIES", 2)
    check_data_dir(tmp_path / "source")
