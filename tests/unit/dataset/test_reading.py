from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mobileyolo.dataset.layout import find_layout, label_of
from mobileyolo.dataset.reading import read_dataset, read_image
from mobileyolo.errors import DatasetError
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


def test_a_dataset_without_a_test_split_has_none(dataset: Path) -> None:
    describe(dataset, test=None)
    assert find_layout(dataset).images.keys() == {"train", "val"}


def test_one_image_in_two_splits_has_two_image_rows_and_its_boxes_once(dataset: Path) -> None:
    describe(dataset, val="train/images", test=None)
    data = read_dataset(dataset)
    assert data.images["image"].tolist() == [*TRAIN, *TRAIN]
    assert len(data.boxes) == 8


REFUSED = [
    pytest.param(lambda root: shutil.rmtree(root), "no such folder", id="no folder"),
    pytest.param(lambda root: describe(root, train=None), "no key 'train'", id="no train key"),
    pytest.param(lambda root: describe(root, val=[]), "no key 'val'", id="empty val key"),
    pytest.param(lambda root: describe(root, val="nowhere"), "val: 'nowhere': no folder", id="missing folder"),
    pytest.param(lambda root: describe(root, val="data.yaml"), "no folder and no .txt", id="entry is a file"),
    pytest.param(lambda root: describe(root, val=[1]), "val: 1: expected a folder", id="entry is a number"),
    pytest.param(lambda root: describe(root, val=str(root.parent)), "lies outside", id="absolute entry outside"),
    pytest.param(lambda root: describe(root, val="../../" + root.parent.name), "lies outside", id="entry outside"),
    pytest.param(lambda root: describe(root, path="elsewhere"), "path: 'elsewhere': no such", id="missing path"),
    pytest.param(lambda root: describe(root, nc=3), "nc: 3: but names has 2", id="nc disagrees"),
    pytest.param(lambda root: describe(root, names=None), "names: None", id="no names"),
    pytest.param(lambda root: describe(root, names=[]), r"names: \[\]", id="empty names"),
    pytest.param(lambda root: describe(root, names={0: "a", 2: "b"}), r"ids \[0, 2\]: expected 0 to 1", id="id gap"),
    pytest.param(lambda root: describe(root, names=[False, "b"]), "False: put the name in quotes", id="bare no"),
    pytest.param(lambda root: describe(root, kpt_shape=[17, 3]), "pose dataset", id="pose"),
    pytest.param(lambda root: (root / "data.yaml").write_text("a: [1"), "data.yaml: not YAML", id="broken YAML"),
    pytest.param(lambda root: (root / "data.yaml").write_text("- a"), "found list", id="YAML list"),
    pytest.param(lambda root: (root / "data.yaml").write_bytes(b"\xff\xfea"), "UTF-8", id="UTF-16 YAML"),
    pytest.param(lambda root: (root / "data.yaml").unlink(), "no class names", id="no names at all"),
    pytest.param(lambda root: shutil.copy(root / "data.yaml", root / "x.yaml"), None, id="data.yaml wins"),
]


@pytest.mark.parametrize(("damage", "message"), REFUSED)
def test_a_contradictory_description_is_refused(
    dataset: Path, damage: Callable[[Path], object], message: str | None
) -> None:
    damage(dataset)
    if message is None:
        assert read_dataset(dataset).names == NAMES
    else:
        with pytest.raises(DatasetError, match=message):
            read_dataset(dataset)


def test_two_yaml_files_without_a_known_name_are_ambiguous(dataset: Path) -> None:
    shutil.copy(dataset / "data.yaml", dataset / "b.yaml")
    (dataset / "data.yaml").rename(dataset / "a.yaml")
    with pytest.raises(DatasetError, match=r"a\.yaml, b\.yaml"):
        find_layout(dataset)


def test_class_files_that_disagree_are_refused(dataset: Path) -> None:
    bare(dataset)
    (dataset / "val/labels/classes.txt").write_text("bar\nsquare\n")
    with pytest.raises(DatasetError, match="name different classes"):
        find_layout(dataset)


def test_a_list_that_names_no_image_is_refused_with_its_line(dataset: Path) -> None:
    (dataset / "train.txt").write_text(f"{TRAIN[0]}\nnotes.gif\n")
    describe(dataset, train="train.txt")
    with pytest.raises(DatasetError, match=r"train\.txt:2: 'notes\.gif': no image"):
        find_layout(dataset)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_file_name_that_is_not_utf8_is_refused(dataset: Path) -> None:
    (dataset / TRAIN[0]).rename(os.fsdecode(os.fsencode(dataset) + b"/train/images/\xff.png"))
    with pytest.raises(DatasetError, match=r"udcff\.png': the file's name is not UTF-8"):
        find_layout(dataset)


def test_a_folder_without_a_dataset_is_refused_with_both_layouts(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        find_layout(tmp_path)
    assert "data.yaml, dataset.yaml" in str(caught.value)
    assert str(caught.value).splitlines()[1].strip().startswith("data.yaml with the keys")
    assert str(caught.value).splitlines()[2].strip().startswith("train/images train/labels")


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("train/images/a.jpg", "train/labels/a.txt"),
        ("images/train/a.b.jpg", "labels/train/a.b.txt"),
        ("images/images/a.jpg", "images/labels/a.txt"),  # only the last one
        ("myimages/a.jpg", "myimages/a.txt"),  # a whole component
        ("a.jpg", "a.txt"),
    ],
)
def test_labels_lie_where_ultralytics_looks_for_them(image: str, label: str) -> None:
    assert label_of(image) == label


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


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 20)), (3, (40, 20)), (6, (20, 40)), (8, (20, 40))])
def test_sizes_are_those_after_the_exif_rotation(
    tmp_path: Path, kind: str, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(tmp_path / "a", kind, exif=exif)
    facts = read_image(tmp_path / "a")
    assert facts.read_error is None
    assert (facts.width, facts.height) == size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_broken_exif_block_does_not_make_an_image_unreadable(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(buffer, "jpeg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert read_image(tmp_path / "a.jpg").read_error is None
