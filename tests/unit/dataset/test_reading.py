from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mobileyolo.dataset.reading import read_dataset
from tests.synthetic import write_dataset

TRAIN = tuple(f"train/images/{index:03d}.png" for index in range(4))
NAMES = ("square", "bar")


def describe(root: Path, **changes: object) -> None:
    """Change keys of the dataset's YAML file; None deletes one."""
    file = root / "data.yaml"
    data = {**yaml.safe_load(file.read_text()), **changes}
    file.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))


def bare(root: Path) -> None:
    (root / "data.yaml").unlink()
    (root / "train/labels/classes.txt").write_text("square\nbar\n")


# Layouts: each leaves the images of `dataset` where they are and describes them in another way.


def list_of_folders(root: Path) -> None:
    (root / "train/images/more").mkdir()
    (root / "train/images/003.png").rename(root / "train/images/more/003.png")
    (root / "train/labels/more").mkdir()
    (root / "train/labels/003.txt").rename(root / "train/labels/more/003.txt")
    describe(root, train=["train/images", "train/images/more"])


def list_in_a_text_file(root: Path) -> None:
    (root / "train.txt").write_text("\ufeff" + "\r\n".join(f"./{image}" for image in TRAIN) + "\r\n\r\n")
    describe(root, train="train.txt")


def list_from_the_base(root: Path) -> None:
    (root / "lists").mkdir()
    (root / "lists/train.txt").write_text("\n".join(TRAIN))
    describe(root, train="lists/train.txt", path=".")


def relative_path_key(root: Path) -> None:
    describe(root, path="train/..")


def absolute_path_key(root: Path) -> None:
    describe(root, path=str(root.resolve()))


def base_in_a_subfolder(root: Path) -> None:
    describe(root, path="train", train="images", val="../val/images", test="../test/images")


def roboflow(root: Path) -> None:
    (root / "val").rename(root / "valid")
    describe(root, train="../train/images", val="../valid/images", test="../test/images", nc=2)


def valid_for_val(root: Path) -> None:
    describe(root, val=None, valid="val/images")


def names_by_id(root: Path) -> None:
    describe(root, names={1: "bar", 0: "square"})


def other_yaml_name(root: Path) -> None:
    (root / "data.yaml").rename(root / "shapes.yml")


def bom_and_windows_line_ends(root: Path) -> None:
    text = (root / "data.yaml").read_text()
    (root / "data.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())


def bare_with_valid(root: Path) -> None:
    bare(root)
    (root / "val").rename(root / "valid")


def bare_with_names_at_the_root(root: Path) -> None:
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("\ufeffsquare\r\n\r\nbar\r\n")


def bare_by_kind(root: Path) -> None:
    bare(root)
    for kind in ("images", "labels"):
        for split in ("train", "val", "test"):
            (root / kind).mkdir(exist_ok=True)
            (root / split / kind).rename(root / kind / split)


def linked_folder(root: Path) -> None:
    outside = root.parent / "outside"
    (root / "train").rename(outside)
    (root / "train").mkdir()
    for kind in ("images", "labels"):
        (root / "train" / kind).symlink_to(outside / kind)


def linked_in_a_circle(root: Path) -> None:
    (root / "train/images/again").symlink_to(root / "train/images")


def files_that_are_no_data(root: Path) -> None:
    for file in ("train/labels.cache", "train/images/000.npy", "train/images/._000.png", "train/images/readme.md"):
        (root / file).write_bytes(b"none of these is an image")
    (root / "train/images/.thumbnails").mkdir()
    shutil.copy(root / "train/images/000.png", root / "train/images/.thumbnails")


LAYOUTS = [
    list_of_folders,
    list_in_a_text_file,
    list_from_the_base,
    relative_path_key,
    absolute_path_key,
    base_in_a_subfolder,
    roboflow,
    valid_for_val,
    names_by_id,
    other_yaml_name,
    bom_and_windows_line_ends,
    bare,
    bare_with_valid,
    bare_with_names_at_the_root,
    bare_by_kind,
    linked_folder,
    linked_in_a_circle,
    files_that_are_no_data,
]


@pytest.mark.parametrize("arrange", LAYOUTS, ids=lambda arrange: arrange.__name__)
def test_every_layout_gives_the_same_images_and_boxes(dataset: Path, arrange: Callable[[Path], None]) -> None:
    expected = read_dataset(dataset)
    arrange(dataset)
    found = read_dataset(dataset)
    assert found.names == NAMES
    assert found.splits == ("train", "val", "test")
    for column in ("split", "sha256", "label_exists"):
        assert found.images[column].tolist() == expected.images[column].tolist()
    columns = ["line", "class_id", "x", "y", "w", "h"]
    assert found.boxes[columns].equals(expected.boxes[columns])


def test_one_image_in_two_splits_has_two_image_rows_and_its_boxes_once(dataset: Path) -> None:
    describe(dataset, val="train/images", test=None)
    data = read_dataset(dataset)
    assert data.images["image"].tolist() == [*TRAIN, *TRAIN]
    assert len(data.boxes) == 8


@pytest.mark.parametrize("suffix", ["bmp", "jpg", "JPEG", "png", "tif", "TIFF", "webp", "mpo"])
def test_images_of_every_format_are_read(tmp_path: Path, suffix: str) -> None:
    root = write_dataset(tmp_path / "data", train=1, val=1, test=0)
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(suffix.lower(), suffix.lower())
    pixels = np.asarray(Image.open(root / TRAIN[0]))
    (root / TRAIN[0]).unlink()
    Image.fromarray(pixels).save((root / TRAIN[0]).with_suffix(f".{suffix}"), kind)
    data = read_dataset(root)
    assert data.images["image"].tolist()[0] == f"train/images/000.{suffix}"
    assert data.images["read_error"].isna().all()
    assert data.images["label_exists"].all()
    assert (data.images["width"] == 64).all()
