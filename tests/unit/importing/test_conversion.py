from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobileyolo import commands as command_line
from mobileyolo.core import environment
from mobileyolo.core.config import load_params
from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.parameters import Tolerance, ValidationRules
from mobileyolo.dataset.validation import validate
from mobileyolo.importing.conversion import SHOWN_KINDS, describe_notes, import_dataset
from mobileyolo.importing.formats import SourceFormat
from mobileyolo.importing.sources import Note, Options
from mobileyolo.importing.splitting import split_groups
from tests.damage import tree
from tests.foreign import (
    IMAGES,
    LINES,
    VOC_OBJECTS,
    coco_record,
    labelme_record,
    labels,
    notes,
    picture,
    snapshot,
    voc_object,
    voc_xml,
    write_bare,
    write_coco,
    write_json,
    write_labelme,
    write_voc,
)

WRITERS: dict[SourceFormat, Callable[[Path], Path]] = {
    "voc": write_voc,
    "coco": write_coco,
    "labelme": write_labelme,
    "bare": write_bare,
}
BOTH = list(LINES.values())


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_imported_passes_validation_without_a_finding(tmp_path: Path, kind: SourceFormat) -> None:
    source = WRITERS[kind](tmp_path / "source")
    (source / "notes.md").write_text("no data")
    import_dataset(kind, source, tmp_path / "target", Options())
    none = dict.fromkeys(Tolerance.model_fields, 0.0)
    rules = load_params().section(ValidationRules).model_copy(update={"tolerance": Tolerance(**none)})
    validation = validate(tmp_path / "target", rules)
    assert validation.passed
    assert not [finding for finding in validation.findings if finding.kind in none]
    assert {split: count.images for split, count in validation.card.splits.items()} == {"train": 9, "val": 2, "test": 1}
    assert sum(count.boxes for count in validation.card.splits.values()) == 24


def test_the_same_source_and_seed_give_the_same_bytes_in_any_order_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_voc(tmp_path / "source")
    (source / "Annotations/005.xml").write_text("<annotation>")
    import_dataset("voc", source, tmp_path / "a", Options(seed=1))
    scandir = os.scandir

    @contextmanager
    def backwards(folder: Path) -> Iterator[list[os.DirEntry[str]]]:
        with scandir(folder) as listing:
            yield sorted(listing, key=lambda entry: entry.name, reverse=True)

    monkeypatch.setattr(os, "scandir", backwards)
    shutil.copytree(source, tmp_path / "elsewhere")
    import_dataset("voc", tmp_path / "elsewhere", tmp_path / "b", Options(seed=1))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    import_dataset("voc", source, tmp_path / "c", Options(seed=2))
    assert tree(tmp_path / "a") != tree(tmp_path / "c")


def test_every_split_has_its_share_of_images_and_of_each_classs_boxes() -> None:
    rng = np.random.default_rng(0)
    # Class 2 is rare; a tenth of the images are backgrounds.
    classes = [tuple(rng.choice(3, rng.integers(0, 9), p=(0.6, 0.37, 0.03)).tolist()) for _ in range(600)]
    splits = split_groups(classes, np.arange(600), Fraction(1, 5), Fraction(1, 10), seed=0)
    assert {split: round(count / 600, 2) for split, count in Counter(splits).items()} == pytest.approx(
        {"train": 0.7, "val": 0.2, "test": 0.1}, abs=0.02
    )
    for class_id in range(3):
        boxes = Counter(s for s, each in zip(splits, classes, strict=True) for c in each if c == class_id)
        shares = {split: count / boxes.total() for split, count in boxes.items()}
        assert shares == pytest.approx({"train": 0.7, "val": 0.2, "test": 0.1}, abs=0.03)


def test_a_group_is_never_split_and_another_seed_is_another_split() -> None:
    groups = np.arange(300) // 3
    drawn = []
    for seed in range(5):
        splits = split_groups([(index % 4,) for index in range(300)], groups, Fraction(3, 20), Fraction(0), seed)
        assert all(len(set(splits[first : first + 3])) == 1 for first in range(0, 300, 3))
        assert set(splits) == {"train", "val"}
        drawn.append(tuple(splits))
    assert len(set(drawn)) == 5


@pytest.mark.parametrize(("images", "expected"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (7, (5, 1, 1)), (40, (28, 8, 4))])
def test_few_images_still_give_every_split_one(images: int, expected: tuple[int, ...]) -> None:
    splits = split_groups([(index,) for index in range(images)], np.arange(images), Fraction(1, 5), Fraction(1, 10), 0)
    assert tuple(splits.count(split) for split in ("train", "val", "test")) == expected


def test_fewer_images_than_splits_are_an_error(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", images=3)
    shutil.copy(source / "JPEGImages/000.png", source / "JPEGImages/001.png")
    with pytest.raises(DatasetError, match="2 usable images that are not near-duplicates; 3 splits need one each"):
        import_dataset("voc", source, tmp_path / "target", Options())
    assert not (tmp_path / "target").exists()


def test_copies_of_an_image_come_into_the_same_split(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", images=20)
    for number in range(10, 20):
        shutil.copy(source / "JPEGImages/005.png", source / f"JPEGImages/{number:03d}.png")
    import_dataset("voc", source, tmp_path / "target", Options())
    copies = {"005", *(str(number).zfill(3) for number in range(10, 20))}
    found = {path.parts[-3] for path in tmp_path.glob("target/*/images/*") if path.stem in copies}
    assert len(found) == 1
    assert not notes(tmp_path / "target")


def test_near_duplicates_come_into_the_same_split(tmp_path: Path) -> None:
    (source := tmp_path / "source").mkdir()
    rng = np.random.default_rng(0)
    for number in range(30):
        coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize((160, 120))
        coarse.save(source / f"{number}.png")
        coarse.resize((120, 90)).save(source / f"{number}-again.jpg", quality=70)
    for image in sorted(source.rglob("*.*")):
        voc_xml(image.with_suffix(".xml"))
    import_dataset("voc", source, tmp_path / "target", Options(val=Fraction(1, 4), test=Fraction(1, 4)))
    split = {path.stem: path.parts[-3] for path in tmp_path.glob("target/*/images/*")}
    assert set(split.values()) == {"train", "val", "test"}
    assert all(split[str(number)] == split[f"{number}-again"] for number in range(30))


def test_an_image_whose_name_denies_its_format_gets_the_ending_of_its_format(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    (source / "JPEGImages/005.png").rename(source / "JPEGImages/005.JPG")
    import_dataset("voc", source, tmp_path / "target", Options())
    assert [path.name for path in tmp_path.glob("target/*/images/005*")] == ["005.png"]
    assert notes(tmp_path / "target") == [("JPEGImages/005.JPG", "", "changed", "renamed")]


def test_pictures_of_formats_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    (source / "JPEGImages/005.png").rename(source / "JPEGImages/005.heic")
    import_dataset("voc", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [("JPEGImages/005.heic", "", "left out", "unreadable image")]


def test_the_sources_own_split_stays_unless_it_is_to_be_split_anew(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", {"train": 4, "val": 4, "test": 4})
    kept = import_dataset("voc", source, tmp_path / "kept", Options())
    assert {split: images for split, (images, _) in kept.splits.items()} == {"train": 4, "val": 4, "test": 4}
    anew = import_dataset("voc", source, tmp_path / "anew", Options(resplit=True))
    assert {split: images for split, (images, _) in anew.splits.items()} == {"train": 9, "val": 2, "test": 1}


def test_a_split_without_validation_keeps_its_test_images_and_shares_those_for_training(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", {"train": 8, "test": 4})
    imported = import_dataset("voc", source, tmp_path / "target", Options(val=Fraction(1, 4)))
    assert {split: images for split, (images, _) in imported.splits.items()} == {"train": 6, "val": 2, "test": 4}
    assert {path.stem for path in tmp_path.glob("target/test/images/*")} == {"008", "009", "010", "011"}


def test_an_image_whose_bytes_two_splits_have_stays_where_it_is_measured_on(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", {"train": 4, "val": 4, "test": 4})
    for copy in ("000", "004"):
        shutil.copy(source / "JPEGImages/008.png", source / f"JPEGImages/{copy}.png")
    import_dataset("voc", source, tmp_path / "target", Options())
    assert {path.parts[-3] for path in tmp_path.glob("target/*/images/008.png")} == {"test"}
    assert notes(tmp_path / "target") == [
        ("JPEGImages/000.png", "", "left out", "copy in train of an image in test"),
        ("JPEGImages/004.png", "", "left out", "copy in val of an image in test"),
    ]


def test_images_of_one_name_get_their_folders_before_it(tmp_path: Path) -> None:
    expected = {
        "a/x.png": "a-x.png",
        "b/X.png": "b-X-2.png",  # b-x is another's own name
        "b/x.jpg": "b-x-3.jpg",
        "c/b-x.png": "b-x.png",
        "classes.png": "classes-2.png",  # classes.txt among labels is no label
        "\u00e9.png": "\u00e9.png",
        "d/e\u0301.png": "d-e\u0301.png",  # the same letter for some systems
        "single.JPG": "single.JPG",
    }
    for number, file in enumerate(expected):
        picture(tmp_path / "source" / file, number)
    voc_xml(tmp_path / "source/single.xml")
    import_dataset("voc", tmp_path / "source", tmp_path / "target", Options(background=True))
    files = {path.name: path.read_bytes() for path in tmp_path.glob("target/*/images/*")}
    assert files == {title: (tmp_path / "source" / file).read_bytes() for file, title in expected.items()}
    assert len(labels(tmp_path / "target")) == len(expected)
    renamed = {file for file, title in expected.items() if Path(file).name != title}
    assert {file for file, _, _, reason in notes(tmp_path / "target") if reason == "renamed"} == renamed


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (
            lambda target: (target.mkdir(), (target / "mine.txt").touch()),
            "already exists; choose a new or empty folder",
        ),
        (lambda target: target.touch(), "already exists"),
    ],
)
def test_a_target_that_holds_something_is_left_as_it_is(
    tmp_path: Path, prepare: Callable[[Path], object], said: str
) -> None:
    source, target = write_voc(tmp_path / "source"), tmp_path / "target"
    prepare(target)
    before = snapshot(target)
    with pytest.raises(DatasetError, match=said):
        import_dataset("voc", source, target, Options())
    assert snapshot(target) == before


@pytest.mark.parametrize("place", ["source", "source/target", "link/target", "other/../source/target"])
def test_a_target_in_the_source_is_refused(tmp_path: Path, place: str) -> None:
    source = write_voc(tmp_path / "source")
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(source, target_is_directory=True)
    before = snapshot(source)
    with pytest.raises(DatasetError, match="is inside the source"):
        import_dataset("voc", source, tmp_path / place, Options())
    assert snapshot(source) == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    import_dataset("voc", write_voc(tmp_path / "source"), tmp_path / "target", Options())
    assert (tmp_path / "target/data.yaml").is_file()


def test_an_import_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_voc(tmp_path / "source")
    copied: list[Path] = []

    def full(_source: Path, target: Path) -> None:
        if len(copied) == 5:
            raise OSError(28, "No space left on device", str(target))
        target.write_bytes(b"")
        copied.append(target)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DatasetError, match="No space left on device"):
        import_dataset("voc", source, tmp_path / "target", Options())
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_links_share_the_sources_bytes_and_copies_do_not(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    for name, link in (("linked", True), ("copied", False)):
        import_dataset("voc", source, tmp_path / name, Options(link=link))
        for file in (tmp_path / name).glob("*/images/*"):
            assert file.samefile(source / "JPEGImages" / file.name) == link
    assert tree(tmp_path / "linked") == tree(tmp_path / "copied")


def test_folders_may_be_links_and_may_lead_back(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    (source / "JPEGImages").rename(tmp_path / "elsewhere")
    (source / "JPEGImages").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (source / "Annotations/back").symlink_to(source, target_is_directory=True)
    import_dataset("voc", source, tmp_path / "target", Options())
    assert len(labels(tmp_path / "target")) == 12
    assert not notes(tmp_path / "target")


def test_nothing_usable_is_an_error_that_says_what_was_left_out(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    for file in (source / "Annotations").iterdir():
        file.write_text("<annotation>")
    with pytest.raises(DatasetError, match=r"no image with a box that can be used:\n.*not readable as XML: 12\n"):
        import_dataset("voc", source, tmp_path / "target", Options())
    assert not (tmp_path / "target").exists()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(environment, "isolate", lambda _root: None)
    monkeypatch.setattr(sys, "argv", ["mobileyolo", "import", *map(str, arguments)])
    command_line.main()


def test_the_command_says_what_it_made_and_what_it_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = coco_record(range(12))
    for each in record["annotations"][:10:2]:
        each["iscrowd"] = 1
    source = write_coco(tmp_path / "source", record)
    run(monkeypatch, "coco", source, tmp_path / "target", "--seed", "3", "--val", "0.25", "--test", "0.25")
    said, bar = capsys.readouterr()
    assert ": 12 images, 19 boxes, 2 classes\n" in said
    assert "; split by seed 3, near-duplicates together\n5 notes, all in " in said
    assert "  left out: crowd: one box round several objects: 5\n    annotations/boxes.json: annotation 0 {" in said
    assert "\n    and 2 more\n" in said
    assert bar == ""  # no terminal, no bar


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--val", "0"), "'0' is not a share from 0.05 to 0.5 in steps of 0.05"),
        (("--val", "0.123"), "'0.123' is not a share"),
        (("--test", "1/0"), "'1/0' is not a share from 0 to 0.5"),
        (("--test", "nan"), "'nan' is not a share"),
        (("--names", "a,,b"), "'a,,b' is no list of different names like a,b,c"),
        (("--names", "a,a"), "'a,a' is no list"),
        (("--seed", "-1"), "'-1' is not a whole number"),
    ],
)
def test_a_wrong_option_is_one_error_that_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "voc", "a", "b", *arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


# Every field of Options, with a value other than its default.
CHANGES: dict[str, Any] = {
    "names": ("dog", "cat"),
    "seed": 1,
    "val": Fraction(1, 4),
    "test": Fraction(1, 4),
    "resplit": True,
    "difficult": True,
    "from_zero": True,
    "background": True,
    "link": True,
}


def with_something_for_every_option(kind: SourceFormat, root: Path) -> Path:
    """A source with a split of its own, an image without annotation, and difficult objects where there can be some."""
    for number in range(2 * IMAGES):
        folder = root / ("train" if number % 2 else "val")
        file = folder / f"{number:03d}.png"
        picture(file, number)
        if kind == "voc":
            voc_xml(file.with_suffix(".xml"), VOC_OBJECTS + voc_object(extra="<difficult>1</difficult>"))
        elif kind == "coco":
            write_json(folder / f"{file.stem}.json", coco_record([number]))
        elif kind == "labelme":
            write_json(file.with_suffix(".json"), labelme_record(file.name))
        else:
            file.with_suffix(".txt").write_text("".join(f"{line}\n" for line in LINES.values()), encoding="utf-8")
    picture(root / "train/bare.png", 99)
    (root / "classes.txt").write_text("cat\ndog\n", encoding="utf-8")
    return root


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("option", CHANGES)
def test_an_option_changes_what_is_imported_or_is_refused_for_the_format(
    tmp_path: Path, kind: SourceFormat, option: str
) -> None:
    source = with_something_for_every_option(kind, tmp_path / "source")
    assert set(CHANGES) == {field.name for field in fields(Options)}
    start = Options(resplit=option not in {"resplit", "link"})  # else the source's own split, which no share changes
    changed = replace(start, **{option: CHANGES[option]})
    if kind != "voc" and option in {"difficult", "from_zero"}:  # no other format marks or counts so
        flag = f"--{option.replace('_', '-')}"
        with pytest.raises(DatasetError, match=f"^{flag}: means nothing for {kind}, only for voc; leave it out$"):
            import_dataset(kind, source, tmp_path / "b", changed)
        assert not (tmp_path / "b").exists()
        return
    import_dataset(kind, source, tmp_path / "a", start)
    import_dataset(kind, source, tmp_path / "b", changed)
    if option == "link":
        assert {file.stat().st_nlink for file in (tmp_path / "b").glob("*/images/*")} == {2}
        assert {file.stat().st_nlink for file in (tmp_path / "a").glob("*/images/*")} == {1}
    else:
        assert tree(tmp_path / "a") != tree(tmp_path / "b")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_of_another_format_is_refused_in_a_few_words(
    tmp_path: Path, kind: SourceFormat, writer: SourceFormat
) -> None:
    if kind == writer:
        return
    source = WRITERS[writer](tmp_path / "source")
    with pytest.raises(DatasetError) as refused:
        import_dataset(kind, source, tmp_path / "target", Options())
    said = str(refused.value).removeprefix(str(source))
    assert len(said) < 300
    if kind in {"voc", "bare"}:
        files = {"voc": ".xml files are for voc", "bare": ".txt files are for bare"}
        assert files.get(writer, ".json files are for coco or labelme") in said
    elif writer in {"coco", "labelme"}:
        assert f"`mobileyolo import {writer}`" in said


def test_shares_that_leave_nothing_to_train_on_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "source/a.json", {})
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "coco", tmp_path / "source", tmp_path / "target", "--val", "0.5", "--test", "0.5")
    assert stopped.value.code == "error: --val 0.5 --test 0.5: nothing is left to train on"


def test_notes_are_told_by_reason_the_most_frequent_first_and_no_more_than_a_screenful() -> None:
    assert describe_notes([Note("a.txt", "line 1", "odd", "x"), *[Note("b.txt", "", "even", outcome="kept")] * 5]) == [
        "  kept: even: 5",
        *["    b.txt"] * 3,
        "    and 2 more",
        "  left out: odd: 1",
        "    a.txt: line 1 x",
    ]
    many = describe_notes([Note("a.txt", f"line {number}", f"odd {number}") for number in range(100_000)])
    assert many[-1] == "  and 99,950 other reasons"
    assert len(many) == 2 * SHOWN_KINDS + 1


def test_a_note_can_not_move_the_cursor_of_the_terminal_that_it_is_printed_on() -> None:
    (_, line) = describe_notes([Note("a.json", "image 1", "image without file", "\x1b[2J\ud800.png")])
    assert line == r"    a.json: image 1 \x1b[2J\ud800.png"


def test_a_note_about_a_value_of_any_length_is_short() -> None:
    assert max(map(len, describe_notes([Note("a.json", "image 1", "image without file", "x" * 100_000)]))) < 400
