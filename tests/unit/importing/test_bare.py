from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.records import Split
from mobileyolo.importing.conversion import import_dataset
from mobileyolo.importing.sources import Options
from tests.foreign import IMAGES, LINES, labels, notes, picture, snapshot, write_bare, write_darknet

BOTH = list(LINES.values())


def line(text: str | bytes) -> Callable[[Path], object]:
    raw = text.encode() if isinstance(text, str) else text
    return lambda root: (root / "005.txt").write_bytes((root / "005.txt").read_bytes() + raw + b"\n")


def moved(folder: str, images: str = "") -> Callable[[Path], None]:
    """Move all labels, and all images."""

    def change(root: Path) -> None:
        for suffix, target in (("txt", folder), ("png", images)):
            (root / target).mkdir(exist_ok=True, parents=True)
            for file in root.glob(f"0*.{suffix}"):
                file.rename(root / target / file.name)

    return change


@pytest.mark.parametrize(
    ("change", "expected", "lines"),
    [
        (lambda _root: None, [], BOTH),
        (moved("labels"), [], BOTH),
        (moved("labels", "images"), [], BOTH),
        (moved("labels/a", "images/a"), [], BOTH),
        (moved("a/labels", "a"), [], BOTH),
        (line(b""), [], BOTH),
        (line("0 .1 .1 .3 .1 .3 .5 .1 .5"), [], [*BOTH, "0 0.200000 0.300000 0.200000 0.400000"]),
        (
            line("0 .5 .5 .1"),
            [("005.txt", "line 3", "4 columns; expected class x y w h, or a class and three or more points")],
            BOTH,
        ),
        (line("a .5 .5 .1 .1"), [("005.txt", "line 3", "'a' is not a finite number")], BOTH),
        (line(b"\xff"), [("005.txt", "line 3", "not UTF-8")], BOTH),
        (line("2 .5 .5 .1 .1"), [("005.txt", "line 3", "class id without a name: known are 0 to 1")], BOTH),
        (line("-1 .5 .5 .1 .1"), [("005.txt", "line 3", "class id without a name: known are 0 to 1")], BOTH),
        (line("0 .5 .5 0 .1"), [("005.txt", "line 3", "box without width or height")], BOTH),
        (line("0 .5 .5 .0000001 .1"), [("005.txt", "line 3", "box without width or height")], BOTH),
        (line("0 1.5 .5 .1 .1"), [("005.txt", "line 3", "box outside its image")], BOTH),
        (line(LINES["cat"]), [("005.txt", "line 3", "same box twice")], BOTH),
        (lambda root: (root / "005.txt").write_bytes(b""), [], []),
        (lambda root: (root / "005.txt").unlink(), [("005.png", "", "image without label file")], None),
        (lambda root: (root / "005.png").unlink(), [("005.txt", "", "label file without image")], None),
        (
            lambda root: [(root / "labels").mkdir(), (root / "labels/005.txt").write_bytes(b"0 .5 .5 .1 .1")],
            [("005.png", "", "several label files that differ")],
            None,
        ),
    ],
)
def test_what_is_wrong_is_listed_and_the_rest_is_imported(
    tmp_path: Path, change: Callable[[Path], object], expected: list[tuple[str, ...]], lines: list[str] | None
) -> None:
    source = write_bare(tmp_path / "source")
    change(source)
    before = snapshot(source)
    import_dataset("bare", source, tmp_path / "target", Options())
    assert [(file, record, reason) for file, record, _, reason in notes(tmp_path / "target")] == expected
    found = labels(tmp_path / "target")
    assert found.pop("005", None) == lines
    assert list(found.values()) == [BOTH] * (IMAGES - 1)
    assert snapshot(source) == before


def test_images_without_label_file_are_backgrounds_if_asked_for(tmp_path: Path) -> None:
    source = write_bare(tmp_path / "source")
    (source / "005.txt").unlink()
    import_dataset("bare", source, tmp_path / "target", Options(background=True))
    assert labels(tmp_path / "target")["005"] == []
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("classes.txt", "\ufeffKatze\r\n\r\n犬\r\n"),
        ("labels/classes.txt", "Katze\n犬\n"),
        ("a/b/classes.txt", "Katze\n犬\n"),
        ("obj.names", "Katze\n犬\n"),
        ("data/voc.names", "Katze\n犬\n"),
        ("train/_darknet.labels", "Katze\n犬"),  # Roboflow
        # Label Studio
        ("notes.json", '{"categories": [{"id": 1, "name": "犬"}, {"id": 0, "name": "Katze"}], "info": {}}'),
        ("data.yaml", "names: [Katze, 犬]"),
        ("data.yaml", "train: nowhere\nnames:\n  0: Katze\n  1: 犬\nnc: 2\n"),
        ("dataset.yaml", "names: [Katze, 犬]"),
        ("helmets.yml", "names: [Katze, 犬]"),
    ],
)
def test_class_names_are_found_in_the_usual_places(tmp_path: Path, place: str, text: str) -> None:
    source = write_bare(tmp_path / "source")
    (source / "classes.txt").unlink()
    (source / place).parent.mkdir(exist_ok=True, parents=True)
    (source / place).write_text(text, encoding="utf-8")
    import_dataset("bare", source, tmp_path / "target", Options())
    assert "names:\n- Katze\n- 犬\n" in (tmp_path / "target/data.yaml").read_text(encoding="utf-8")
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    "files",
    [
        {"data.yaml": "names: [a, b]", "obj.data": "names = obj.names", "obj.names": "c\nd"},
        {"obj.data": "names = /home/me/data/obj.names", "obj.names": "a\nb", "classes.txt": "c\nd"},
        {"data.yaml": "train: images", "obj.data": "classes = 2", "classes.txt": "a\nb"},  # they name no classes
        {"classes.txt": "a\nb", "obj.names": "a\nb", "notes.json": '{"categories": 5}', "_darknet.labels": ""},
    ],
)
def test_a_description_counts_before_darknets_settings_and_those_before_lists(
    tmp_path: Path, files: dict[str, str]
) -> None:
    source = write_bare(tmp_path / "source")
    (source / "classes.txt").unlink()
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    import_dataset("bare", source, tmp_path / "target", Options())
    assert "names:\n- a\n- b\n" in (tmp_path / "target/data.yaml").read_text()


def test_class_names_of_the_command_line_count_before_those_of_files(tmp_path: Path) -> None:
    source = write_bare(tmp_path / "source")
    import_dataset("bare", source, tmp_path / "target", Options(names=("no", "1.0")))
    assert "names:\n- 'no'\n- '1.0'\n" in (tmp_path / "target/data.yaml").read_text()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"classes.txt": "\n"},
            "no class names in data.yaml, dataset.yaml, obj.data, classes.txt, obj.names, _darknet.labels, notes.json; "
            "give them by --names a,b,c$",
        ),
        ({"data.yaml": "names: [a]", "dataset.yaml": "names: [b]"}, r"data\.yaml and dataset\.yaml name different"),
        ({"data.yaml": "names: [a, a]"}, r"data\.yaml:1: names: 'a': two classes have this name"),
        ({"data.yaml": "names: [a\n"}, r"data\.yaml:2: not YAML"),
        (
            {"notes.json": '{"categories": [{"id": 1, "name": "a"}]}'},
            r"notes\.json: .*ids 0 to 0",
        ),
        ({"notes.json": '{"categories": [{"id": 0}]}'}, r"notes\.json: category 0: '': class 0 has no name"),
        ({"notes.json": "["}, r"notes\.json:1: not JSON"),
        ({"classes.txt": "a\nb", "obj.names": "b\na"}, "classes.txt and obj.names name different classes"),
        ({"classes.txt": "a\nb\na"}, r"classes\.txt:3: 'a': two classes have this name"),
        ({"classes.txt": "a\nb\x07"}, r"classes\.txt:2: 'b\\x07': has the control character"),
    ],
)
def test_class_names_that_cannot_be_right_stop_the_import(tmp_path: Path, files: dict[str, str], said: str) -> None:
    source = write_bare(tmp_path / "source")
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        import_dataset("bare", source, tmp_path / "target", Options())
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("splits", [{"train": 6, "val": 4, "test": 2}, {"train": 6, "val": 6}])
def test_darknets_lists_are_the_split_that_obj_data_says(tmp_path: Path, splits: dict[Split, int]) -> None:
    imported = import_dataset("bare", write_darknet(tmp_path / "source", splits), tmp_path / "target", Options())
    assert imported.splits == {split: (count, 2 * count) for split, count in splits.items()}
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES
    assert not notes(tmp_path / "target")
    assert (tmp_path / "target/val/images/006.png").is_file()


@pytest.mark.parametrize(
    "line", ["{}.png", "./{}.png", "/home/me/{}.png", r"D:\x\{}.png", "x/{}.jpg", "{}", " {}.png\r"]
)
@pytest.mark.parametrize(("train", "val"), [("train.txt", "valid.txt"), ("lists/train2017.txt", "lists/val2017.txt")])
def test_lists_called_like_splits_are_the_split_wherever_their_paths_begin(
    tmp_path: Path, train: str, val: str, line: str
) -> None:
    source = write_bare(tmp_path / "source")
    for name, numbers in ((train, range(8)), (val, range(8, IMAGES))):
        (source / name).parent.mkdir(exist_ok=True)
        text = "".join(f"{line.format(f'{number:03d}')}\n" for number in numbers)
        (source / name).write_text(text, encoding="utf-8")
    imported = import_dataset("bare", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (8, 16), "val": (4, 8)}
    assert not notes(tmp_path / "target")


def test_what_is_wrong_in_a_list_is_noted(tmp_path: Path) -> None:
    source = write_bare(tmp_path / "source")
    names = [f"{number:03d}.png\n" for number in range(IMAGES)]
    (source / "train.txt").write_text("".join(["gone.png\n", *names[:9]]), encoding="utf-8")
    (source / "valid.txt").write_text("".join(names[8:]), encoding="utf-8")
    import_dataset("bare", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [
        ("008.png", "", "changed", "image in several splits, kept in val"),
        ("train.txt", "line 1", "left out", "listed image that is not there"),
    ]
    assert (tmp_path / "target/val/images/008.png").is_file()


def test_a_list_that_obj_data_names_twice_is_of_the_first_split(tmp_path: Path) -> None:
    source = write_darknet(tmp_path / "source", {"train": IMAGES})
    settings = source / "data/obj.data"
    settings.write_text(settings.read_text() + "\nvalid = data/train.txt\ntest = gone.txt\n# test = data/train.txt\n")
    imported = import_dataset("bare", source, tmp_path / "target", Options())
    assert set(imported.splits) >= {"train", "val"}
    assert notes(tmp_path / "target") == [
        ("data/obj.data", "line 5", "left out", "list that is the one of train already"),
        ("data/obj.data", "line 6", "left out", "list that is not there"),
    ]


def test_a_text_called_like_a_split_is_no_list_if_it_is_a_label_or_names_no_image(tmp_path: Path) -> None:
    source = write_bare(tmp_path / "source")
    (source / "005.png").rename(source / "train.png")
    (source / "005.txt").rename(source / "train.txt")
    (source / "val.txt").write_text("0 .5 .5 .1 .1\n", encoding="utf-8")
    (source / "test.txt").write_text("How we tested.\n", encoding="utf-8")
    imported = import_dataset("bare", source, tmp_path / "target", Options())
    assert imported.how == "split by seed 0, near-duplicates together"
    assert notes(tmp_path / "target") == [
        ("test.txt", "", "left out", "label file without image"),
        ("val.txt", "", "left out", "label file without image"),
    ]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no images in or below it; name the folder that holds both"):
        import_dataset("bare", tmp_path, tmp_path.with_name("target"), Options())


def write_folders(source: Path, folders: dict[str, range]) -> Path:
    """Images with labels, by folder; the numbers of its images."""
    write_bare(source)
    for folder, images in folders.items():
        (source / folder).mkdir(parents=True)
        for number in images:
            for suffix in ("png", "txt"):
                (source / f"{number:03d}.{suffix}").rename(source / folder / f"{number:03d}.{suffix}")
    return source


def test_the_names_of_folders_say_the_split(tmp_path: Path) -> None:
    folders = {"training/images": range(8), "validation": range(8, 10), "data/Testing": range(10, 12)}
    source = write_folders(tmp_path / "source", folders)
    imported = import_dataset("bare", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (8, 16), "val": (2, 4), "test": (2, 4)}
    assert imported.how == "the source's own split"
    assert not notes(tmp_path / "target")


def test_a_stray_picture_does_not_dissolve_a_split(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source", {"train": range(8), "val": range(8, 12)})
    picture(source / "preview.png", 77)
    imported = import_dataset("bare", source, tmp_path / "target", Options(background=True))
    assert imported.splits == {"train": (8, 16), "val": (4, 8)}
    assert imported.how == "the source's own split"
    assert notes(tmp_path / "target") == [("preview.png", "", "left out", "image in none of the source's own splits")]


def test_images_for_measuring_are_never_trained_on_even_where_nothing_else_is_named(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source", {"val": range(2), "test": range(2, 4)})
    imported = import_dataset("bare", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (8, 16), "val": (2, 4), "test": (2, 4)}
    assert imported.how == "the source's own split; train is the other images"
    assert not notes(tmp_path / "target")
    source = write_folders(tmp_path / "only", {"test": range(12)})
    with pytest.raises(DatasetError, match=r"only has test \(as test/000\.png\)|own split has only test"):
        import_dataset("bare", source, tmp_path / "none", Options())
    assert not (tmp_path / "none").exists()


def test_a_data_yaml_says_the_split_whatever_its_folders_are_called(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source", {"a": range(8), "b": range(8, 10), "train": range(10, 12)})
    (source / "data.yaml").write_text("train: a\nvalidation: b\ntest: train\nnames: [cat, dog]\n")
    imported = import_dataset("bare", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (8, 16), "val": (2, 4), "test": (2, 4)}
