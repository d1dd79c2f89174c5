from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.folders import below
from mobileyolo.dataset.layout import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES, find_layout, label_of
from tests.descriptions import FULL, SPLITS, TRAIN, describe, refusal

# Folders of images
from tests.pipes import make_pipe


def test_a_dataset_without_a_test_split_has_none(dataset: Path) -> None:
    describe(dataset, FULL)
    assert find_layout(dataset).images.keys() == {"train", "val"}


def test_a_file_in_the_folders_place_is_called_one(dataset: Path) -> None:
    with pytest.raises(DatasetError, match=r"data\.yaml: a file; name the folder that it lies in"):
        find_layout(dataset / "data.yaml")


def test_two_splits_may_be_one_folder(dataset: Path) -> None:
    describe(dataset, "train: train/images\nval: train/images\nnames: [a]")
    images = find_layout(dataset).images
    assert images["train"] == images["val"] == TRAIN


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("link", "neither a folder nor a .txt file at ~/link"),  # to itself
        ("nowhere", "neither a folder nor a .txt file at ~/link"),
        ("..", None),  # above the dataset: links inside may lead anywhere
        ("train/images", None),
    ],
)
def test_a_split_may_be_a_link_that_leads_somewhere(dataset: Path, target: str, message: str | None) -> None:
    (dataset / "link").symlink_to(target)
    describe(dataset, f"{FULL}test: link")
    if message is None:
        assert find_layout(dataset).images["test"]
    else:
        layout = find_layout(dataset)
        assert layout.images.keys() == {"train", "val"}
        absent = layout.absent["test"].replace(str(dataset), "~")
        assert absent == f"~/data.yaml:4: test: 'link': {message}"


def test_a_path_through_a_link_to_the_dataset_lies_inside_it(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(dataset)
    describe(dataset, f"{SPLITS}test: {tmp_path}/link/test/images\nnames: [a]\n")
    assert find_layout(dataset).images["test"] == ("test/images/000.png", "test/images/001.png")
    describe(dataset, f"{SPLITS}test: {dataset}/test/images\nnames: [a]\n")
    assert find_layout(tmp_path / "link").images["test"] == ("test/images/000.png", "test/images/001.png")


def test_the_dataset_may_be_the_root_of_the_file_system() -> None:
    assert below(Path("/"), Path("/a/../b"), "") == "b"
    assert below(Path("/a"), Path("/a"), "") == "."
    with pytest.raises(DatasetError, match=r"^here: lies outside /a;"):
        below(Path("/a"), Path("/ab"), "here")


def test_a_path_through_a_link_out_of_the_dataset_lies_outside(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    describe(dataset, f"{FULL}test: ../link")
    assert "data.yaml:4: test: '../link': lies outside ~" in refusal(dataset)


def test_links_in_a_circle_have_an_end_and_a_folder_has_its_own_path(dataset: Path) -> None:
    images = dataset / "train/images"
    (images / "b").mkdir()
    (images / "003.png").rename(images / "b/003.png")
    (images / "a").symlink_to("b")
    (images / "up").symlink_to("..")
    (images / "self").symlink_to("self")
    (images / "b/again").symlink_to("../..")
    assert find_layout(dataset).images["train"] == (*TRAIN[:3], "train/images/b/003.png")


def test_what_is_named_like_an_image_is_listed_whatever_it_is(dataset: Path) -> None:
    images = dataset / "train/images"
    make_pipe(images / "fifo.png")
    (images / "folder.jpg").mkdir()
    shutil.copy(dataset / TRAIN[0], images / "folder.jpg/a.png")
    (images / "loop.png").symlink_to("loop.png")
    (images / "dangling.png").symlink_to("nowhere")
    (images / "device.png").symlink_to("/dev/zero")
    for name in (".hidden.png", "png", "a.png.bak", "a.npy", "notes.txt", "two\nlines.md"):
        (images / name).touch()
    (images / ".hidden").mkdir()
    shutil.copy(dataset / TRAIN[0], images / ".hidden")
    extra = ["dangling.png", "device.png", "fifo.png", "folder.jpg", "folder.jpg/a.png", "loop.png"]
    assert find_layout(dataset).images["train"] == (*TRAIN, *(f"train/images/{name}" for name in extra))


def test_a_socket_is_listed_too(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dataset / "train/images")  # a socket's path has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("a.png")
        assert "train/images/a.png" in find_layout(dataset).images["train"]


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES))
def test_pictures_are_listed_though_no_decoder_may_read_them(dataset: Path, suffix: str) -> None:
    (dataset / f"train/images/x{suffix.upper()}").touch()
    assert find_layout(dataset).images["train"] == (*TRAIN, f"train/images/x{suffix.upper()}")


def test_no_format_of_ultralytics_is_passed_over() -> None:
    from ultralytics.data.utils import IMG_FORMATS

    assert {f".{name}" for name in IMG_FORMATS} <= IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", ["images/\udcff.png", "labels/\udcff.txt"])
def test_a_file_name_that_is_not_utf8_is_refused(dataset: Path, name: str) -> None:
    (dataset / "train" / name).touch()
    assert refusal(dataset) == f"~: {f'train/{name}'!r}: the file's name is not UTF-8; rename it"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_can_not_be_listed_is_refused(dataset: Path) -> None:
    (dataset / "train/images/locked").mkdir(mode=0)
    assert refusal(dataset) == "~/train/images/locked: Permission denied"


def test_a_folder_of_many_images_takes_seconds_at_most(dataset: Path) -> None:
    for index in range(20_000):
        (dataset / f"train/images/x{index}.jpg").touch()
    assert len(find_layout(dataset).images["train"]) == 20_004


# Lists of images


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.txt", "train.txt:1: 'train.txt': not an image; known extensions are .bmp, .jpeg"),
        (f"{TRAIN[0]}\n\ntrain/images\n", "train.txt:3: 'train/images': not an image"),
        (f"{TRAIN[0]}\nnotes.md", "train.txt:2: 'notes.md': not an image"),
        ("/elsewhere/a.png", "train.txt:1: '/elsewhere/a.png': lies outside ~"),
        (f"{TRAIN[0]}\r\n../a.png", "train.txt:2: '../a.png': lies outside ~"),
        ("./../a.png", "train.txt:1: './../a.png': lies outside ~"),
        ("a\0.png", r"train.txt:1: 'a\x00.png': has the control character '\x00'"),
        ("a.png\fb.png", r"train.txt:1: 'a.png\x0cb.png': has the control character '\x0c'"),
        ("a" * 5000, "train.txt:1: 'aaaa"),
        (f"{'../' * 5000}a.png", "train.txt:1: '../../"),
        ("größe.png".encode("latin-1"), "train.txt:1: byte 0xf6 is not UTF-8; save it as UTF-8"),
        (TRAIN[0].encode("utf-16"), "train.txt: UTF-16 text; save it as UTF-8"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(dataset: Path, text: str | bytes, message: str) -> None:
    (dataset / "train.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    describe(dataset, FULL.replace("train/images", "train.txt"))
    assert refusal(dataset).startswith(f"~/{message}")


@pytest.mark.parametrize("kind", ["fifo", "device", "folder link"])
def test_a_list_has_to_be_a_file(dataset: Path, kind: str) -> None:
    listing = dataset / "train.txt"
    if kind == "fifo":
        make_pipe(listing)
    else:
        listing.symlink_to("/dev/zero" if kind == "device" else "train.txt")
    describe(dataset, FULL.replace("train/images", "train.txt"))
    assert refusal(dataset).startswith(
        "~/data.yaml:1: train: 'train.txt': neither a folder nor a .txt file at ~/train.txt"
    )


def test_a_list_may_name_what_is_not_there_and_pictures_of_other_formats(dataset: Path) -> None:
    listed = ("train/images/gone.png", "train/images/x.gif", "train/images/\u2028.png", f"{'x' * 300}.png")
    (dataset / "train.txt").write_text("\n".join(listed), encoding="utf-8")
    describe(dataset, FULL.replace("train/images", "train.txt"))
    assert find_layout(dataset).images["train"] == tuple(sorted(listed))


# Labels


def labels(root: Path) -> list[str]:
    return [label for label in find_layout(root).labels if not label.startswith(("val/", "test/"))]


TRAIN_LABELS = [f"train/labels/{index:03d}.txt" for index in range(4)]


def test_labels_without_an_image_are_listed_whatever_they_are(dataset: Path) -> None:
    folder = dataset / "train/labels"
    (folder / "more").mkdir()
    for name in ("more/b.txt", "a.txt", ".hidden.txt", "classes.txt", "train.cache", "notes.md"):
        (folder / name).touch()
    (folder / "folder.txt").mkdir()
    make_pipe(folder / "fifo.txt")
    (folder / "loop.txt").symlink_to("loop.txt")
    extra = [f"train/labels/{name}.txt" for name in ("a", "fifo", "folder", "loop", "more/b")]
    assert labels(dataset) == [*TRAIN_LABELS, *extra]


def test_without_a_label_folder_there_are_no_labels(dataset: Path) -> None:
    shutil.rmtree(dataset / "train/labels")
    assert labels(dataset) == []
    (dataset / "train/labels").touch()
    assert labels(dataset) == []


def test_the_labels_of_listed_images_are_those_of_their_folders(dataset: Path) -> None:
    (dataset / "train.txt").write_text(f"./{TRAIN[0]}")
    (dataset / "train/labels/more").mkdir()
    (dataset / "train/labels/more/a.txt").touch()
    describe(dataset, FULL.replace("train/images", "train.txt"))
    assert labels(dataset) == TRAIN_LABELS


def test_beside_its_image_a_text_file_is_a_label_and_else_if_it_begins_with_a_box(dataset: Path) -> None:
    for kind in ("images", "labels"):
        for file in list((dataset / "train" / kind).iterdir()):
            file.rename(dataset / "train" / file.name)
    (dataset / "train/000.txt").write_text("no box")
    (dataset / "train/orphan.txt").write_text("\n0 .5 .5 .2 .2\n")
    (dataset / "train/train.txt").write_text("./000.png\n")
    (dataset / "train/README.txt").write_text("Four images.\n")
    (dataset / "train/empty.txt").touch()
    make_pipe(dataset / "train/fifo.txt")
    beside = [f"train/{index:03d}.txt" for index in range(4)]
    describe(dataset, FULL.replace("train/images", "train"))
    assert labels(dataset) == [*beside, "train/orphan.txt"]
    describe(dataset, FULL.replace("train/images", "train/train.txt"))
    assert labels(dataset) == [*beside, "train/orphan.txt"]


def test_in_a_label_folder_of_two_splits_no_label_of_either_is_without_an_image(dataset: Path) -> None:
    for split in ("train", "val"):
        for label in list((dataset / split / "labels").iterdir()):
            (dataset / "all").mkdir(exist_ok=True)
            label.rename(dataset / "all" / f"{split}{label.name}")
        for image in list((dataset / split / "images").iterdir()):
            image.rename(image.with_name(f"{split}{image.name}"))
        (dataset / split / "labels").rmdir()
        (dataset / split / "labels").symlink_to("../all")
    layout = find_layout(dataset)
    assert layout.labels == tuple(sorted(label_of(image) for images in layout.images.values() for image in images))


def test_a_split_above_images_has_its_labels_in_labels(dataset: Path) -> None:
    (dataset / "train/README.txt").write_text("0 .5 .5 .2 .2")
    describe(dataset, FULL.replace("train/images", "train"))
    assert labels(dataset) == TRAIN_LABELS


def test_a_flat_folder_at_the_root_has_its_labels_beside(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.txt", "b.txt"):
        (tmp_path / name).touch()
    describe(tmp_path, "train: .\nval: .\nnames: [a]")
    layout = find_layout(tmp_path)
    assert (layout.images["train"], layout.labels) == (("a.jpg",), ("a.txt",))


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


# Without a YAML file


def bare(root: Path, names: str = "square\nbar\n") -> None:
    (root / "data.yaml").unlink()
    (root / "train/labels/classes.txt").write_text(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("", "~: no class names: put them, one a line, into one of classes.txt, labels/classes.txt, train/labels/"),
        ("a\n\nb\na", "~/train/labels/classes.txt:4: 'a': two classes have this name, the other in ~/train/labels/"),
        ("a\n\x1b[2J", r"~/train/labels/classes.txt:2: '\x1b[2J': has the control character '\x1b'"),
    ],
)
def test_a_wrong_list_of_class_names_is_refused(dataset: Path, names: str, message: str) -> None:
    bare(dataset, names)
    assert refusal(dataset).startswith(message)


def test_class_files_that_disagree_are_refused(dataset: Path) -> None:
    bare(dataset)
    (dataset / "val/labels/classes.txt").write_text("bar\nsquare\n")
    assert refusal(dataset).endswith("name different classes; make them equal, or delete all but one")


def test_a_split_folder_that_is_a_file_is_none(dataset: Path) -> None:
    bare(dataset)
    shutil.rmtree(dataset / "val/images")
    (dataset / "val/images").touch()
    assert refusal(dataset).startswith("~: no YOLO dataset: looked for data.yaml, dataset.yaml")


@pytest.mark.parametrize(
    ("train", "val", "test"), [("training", "validation", "testing"), ("train", "valid", "test"), ("train", "dev", "")]
)
def test_a_split_folder_may_have_any_of_a_splits_names(dataset: Path, train: str, val: str, test: str) -> None:
    bare(dataset)
    for split, name in {"train": train, "val": val, "test": test or "more"}.items():
        (dataset / split).rename(dataset / name)
    expected = {"train": train, "val": val, "test": test}
    assert {split: images[0].split("/")[0] for split, images in find_layout(dataset).images.items()} == {
        split: name for split, name in expected.items() if name
    }


def test_two_folders_with_names_of_one_split_are_not_chosen_between(dataset: Path) -> None:
    bare(dataset)
    (dataset / "valid").symlink_to(dataset / "val", target_is_directory=True)
    assert set(find_layout(dataset).images) == {"train", "val", "test"}
    shutil.copytree(dataset / "val", dataset / "dev")
    expected = "~: which of val/images and valid/images and dev/images is val? Rename one, or name it in a data.yaml"
    assert refusal(dataset) == expected


def test_a_folder_without_a_dataset_is_refused_with_both_layouts(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert "data.yaml, dataset.yaml" in message
    assert message.splitlines()[1].strip().startswith("data.yaml with the keys")
    assert message.splitlines()[2].strip().startswith("train/images train/labels")
