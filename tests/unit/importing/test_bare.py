from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.importing.conversion import import_dataset
from mobileyolo.importing.sources import Options
from tests.foreign import IMAGES, LINES, labels, notes, picture, snapshot, write_bare

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


@pytest.mark.parametrize("place", ["classes.txt", "obj.names", "labels/classes.txt"])
def test_class_names_are_found_in_the_usual_places(tmp_path: Path, place: str) -> None:
    source = write_bare(tmp_path / "source")
    (source / "classes.txt").unlink()
    (source / place).parent.mkdir(exist_ok=True)
    (source / place).write_text("\ufeffKatze\r\n\r\n犬\r\n", encoding="utf-8")
    import_dataset("bare", source, tmp_path / "target", Options())
    assert "names:\n- Katze\n- 犬\n" in (tmp_path / "target/data.yaml").read_text(encoding="utf-8")


def test_class_names_of_the_command_line_count_before_those_of_files(tmp_path: Path) -> None:
    source = write_bare(tmp_path / "source")
    import_dataset("bare", source, tmp_path / "target", Options(names=("no", "1.0")))
    assert "names:\n- 'no'\n- '1.0'\n" in (tmp_path / "target/data.yaml").read_text()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"classes.txt": "\n"}, "no class names in classes.txt, obj.names.*--names a,b,c"),
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
