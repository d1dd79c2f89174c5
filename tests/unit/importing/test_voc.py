from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from mobileyolo.core.errors import DatasetError
from mobileyolo.importing.conversion import import_dataset
from mobileyolo.importing.sources import Options
from tests.foreign import LINES, VOC_OBJECTS, labels, notes, picture, snapshot, voc_object, voc_xml, write_voc

BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotation><filename>&c;</filename></annotation>'
OUTSIDE_FILE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><annotation>&b;</annotation>'
XML = "Annotations/005.xml"
IMAGE = "JPEGImages/005.png"
UNUSED = (IMAGE, "", "left out", "image without usable annotation")
NO_XML = [(XML, "line 1", "left out", "not readable as XML"), UNUSED]
ENTITIES = [(XML, "", "left out", "XML with entities, which are not read"), UNUSED]
BOTH = list(LINES.values())
NO_SIZE = "annotation without its image's size; its boxes are taken in the image's pixels"
RESIZED = "image resized since its annotation; boxes with it"
OTHER_SHAPE = "boxes of an image of another shape: it was cropped, stretched or turned since"
SWAPPED = "swapped corners: xmin > xmax or ymin > ymax"


def xml(objects: str, size: tuple[int, int] = (40, 30)) -> Callable[[Path], None]:
    return lambda root: voc_xml(root / XML, objects, size)


def text(content: str | bytes) -> Callable[[Path], object]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda root: (root / XML).write_bytes(raw)


def test_pixels_counted_from_1_become_edges_counted_from_0(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    # The whole image, from its first pixel to its last; and one pixel in its corner.
    voc_xml(source / XML, voc_object("cat", (1, 1, 40, 30)) + voc_object("dog", (40, 30, 40, 30)))
    import_dataset("voc", source, tmp_path / "target", Options())
    found = labels(tmp_path / "target")
    assert found["005"] == ["0 0.500000 0.500000 1.000000 1.000000", "1 0.987500 0.983333 0.025000 0.033333"]
    assert found["004"] == list(LINES.values())
    assert not notes(tmp_path / "target")


def test_coordinates_of_tools_that_count_edges_from_0_are_taken_as_they_are(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    voc_xml(source / XML, voc_object("cat", (0, 0, 40, 30)) + voc_object("cat", (4, 6, 20, 18)))
    import_dataset("voc", source, tmp_path / "target", Options(from_zero=True))
    assert labels(tmp_path / "target")["005"] == ["0 0.500000 0.500000 1.000000 1.000000", LINES["cat"]]
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    ("change", "expected", "lines"),
    [
        (text("<annotation><object>"), NO_XML, None),
        (text(b"\x00\xff"), NO_XML, None),
        (
            text('<?xml version="1.0" encoding="none"?><annotation/>'),
            [(XML, "", "left out", "not readable as XML"), UNUSED],
            None,
        ),
        (text(""), NO_XML, None),
        (text(BOMB), ENTITIES, None),
        (text(OUTSIDE_FILE), ENTITIES, None),
        (text("<svg/>"), [(XML, "", "left out", "XML that is not an annotation"), UNUSED], None),
        (text(bytes(17_000_000)), [(XML, "", "left out", "not readable as XML"), UNUSED], None),
        (
            xml("<object/>" * 100_001),
            [(XML, "", "left out", "annotation of more than 100,000 objects"), UNUSED],
            None,
        ),
        (text("<a>" * 1_000_000), NO_XML, None),
        (xml(""), [], []),
        (xml(VOC_OBJECTS, size=(0, 0)), [(XML, "", "kept", NO_SIZE)], BOTH),
        (
            xml(VOC_OBJECTS + voc_object(extra="<difficult>1</difficult>")),
            [(XML, "object 3", "left out", "difficult object")],
            BOTH,
        ),
        (xml(voc_object(extra="<truncated>1</truncated>")), [], [LINES["cat"]]),
        (xml(VOC_OBJECTS + voc_object()), [(XML, "object 3", "left out", "same box twice")], BOTH),
        (
            xml(VOC_OBJECTS + voc_object("")),
            [(XML, "object 3", "left out", "object without a class name")],
            BOTH,
        ),
        (
            xml(VOC_OBJECTS + voc_object("cat", (5, "x", 20, "nan"))),
            [(XML, "object 3", "left out", "object without four numbers for its box")],
            BOTH,
        ),
        (
            xml(VOC_OBJECTS + "<object><name>cat</name></object>"),
            [(XML, "object 3", "left out", "object without four numbers for its box")],
            BOTH,
        ),
        (
            xml(VOC_OBJECTS + voc_object("cat", (9, 9, 8.5, 12))),
            [(XML, "object 3", "left out", SWAPPED)],
            BOTH,
        ),
        (
            xml(VOC_OBJECTS + voc_object("cat", (5, 12, 20, 9))),
            [(XML, "object 3", "left out", SWAPPED)],
            BOTH,
        ),
        (
            xml(VOC_OBJECTS + voc_object("cat", (41, 9, 60, 12))),
            [(XML, "object 3", "left out", "box outside its image")],
            BOTH,
        ),
        (
            xml(voc_object("cat", (21, 16, 60, 45))),
            [(XML, "object 1", "changed", "box that reaches beyond its image, clipped")],
            ["0 0.750000 0.750000 0.500000 0.500000"],
        ),
        (
            xml(voc_object("cat", (0, 0, 20, 15))),
            [(XML, "object 1", "kept", "box from pixel 0, though VOC counts from 1 (see --from-zero)")],
            ["0 0.250000 0.250000 0.500000 0.500000"],
        ),
        (
            xml(voc_object("cat", (9, 9, 8, 12))),
            [
                (IMAGE, "", "left out", "image whose boxes are all left out"),
                (XML, "object 1", "left out", "box without width or height"),
            ],
            None,
        ),
        (
            lambda root: (root / XML).unlink(),
            [(IMAGE, "", "left out", "image without annotation")],
            None,
        ),
        (
            lambda root: (root / IMAGE).unlink(),
            [(XML, "", "left out", "annotation without image")],
            None,
        ),
        (
            lambda root: (root / IMAGE).write_bytes((root / IMAGE).read_bytes()[:900]),
            [(IMAGE, "", "left out", "unreadable image")],
            None,
        ),
        (
            lambda root: picture(root / "JPEGImages/005.jpg", 99),
            [
                (XML, "", "left out", "several images of that name"),
                UNUSED,
                ("JPEGImages/005.jpg", "", "left out", "image without usable annotation"),
            ],
            None,
        ),
        (
            lambda root: voc_xml(root / "more/005.xml"),
            [("more/005.xml", "", "left out", "second annotation of an image")],
            BOTH,
        ),
    ],
)
def test_what_is_wrong_with_one_image_is_listed_and_the_others_are_imported(
    tmp_path: Path,
    change: Callable[[Path], object],
    expected: list[tuple[str, ...]],
    lines: list[str] | None,
) -> None:
    source = write_voc(tmp_path / "source")
    change(source)
    before = snapshot(source)
    import_dataset("voc", source, tmp_path / "target", Options())
    found = labels(tmp_path / "target")
    assert sorted(notes(tmp_path / "target")) == sorted(expected)
    assert found.pop("005", None) == lines
    assert len(found) == 11
    assert all(each == BOTH for each in found.values())
    assert snapshot(source) == before


def test_difficult_objects_stay_if_asked_for(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    voc_xml(source / XML, voc_object(extra="<difficult>1</difficult>"))
    import_dataset("voc", source, tmp_path / "target", Options(difficult=True))
    assert labels(tmp_path / "target")["005"] == [LINES["cat"]]


def test_boxes_count_in_the_image_as_exif_turns_it(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    picture(source / IMAGE, 5, size=(30, 40), orientation=6)  # shown as 40 x 30
    import_dataset("voc", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_that_were_drawn_before_the_exif_turn_are_turned_with_the_image(tmp_path: Path, orientation: int) -> None:
    source = write_voc(tmp_path / "source")
    pixels = np.zeros((30, 40), dtype=np.uint8)
    pixels[6:18, 4:20] = 255  # the cat
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(source / IMAGE, exif=exif)  # shown as 30 x 40, declared as 40 x 30
    voc_xml(source / XML, voc_object())
    import_dataset("voc", source, tmp_path / "target", Options())
    with Image.open(source / IMAGE) as image:
        left, top, right, bottom = ImageOps.exif_transpose(image).getbbox() or (0, 0, 0, 0)
    x, y, w, h = (left + right) / 60, (top + bottom) / 80, (right - left) / 30, (bottom - top) / 40
    assert labels(tmp_path / "target")["005"] == [f"0 {x:.6f} {y:.6f} {w:.6f} {h:.6f}"]
    assert notes(tmp_path / "target") == [
        (XML, "", "changed", "boxes of the image before its EXIF rotation, rotated with it")
    ]


@pytest.mark.parametrize(
    ("declared", "outcome", "reason", "lines"),
    [
        ((40, 30), None, "", BOTH),
        # Ultralytics' convert_coco divides by the annotation's size, whatever the picture's is.
        ((32, 24), "changed", RESIZED, ["0 0.375000 0.500000 0.500000 0.500000"]),
        ((400, 300), "changed", RESIZED, ["0 0.030000 0.040000 0.040000 0.040000"]),
        ((1000, 750), "changed", RESIZED, ["0 0.012000 0.016000 0.016000 0.016000"]),
        ((1001, 752), "changed", RESIZED, ["0 0.011988 0.015957 0.015984 0.015957"]),  # sides are whole pixels
        ((41, 30), "changed", RESIZED, ["0 0.292683 0.400000 0.390244 0.400000"]),
        ((40, 40), "left out", OTHER_SHAPE, None),
        ((30, 40), "left out", OTHER_SHAPE, None),  # swapped, without an EXIF rotation that says so
        ((80, 30), "left out", OTHER_SHAPE, None),
        ((1000, 800), "left out", OTHER_SHAPE, None),
        ((40, 0), "kept", NO_SIZE, BOTH),
        ((-40, -30), "kept", NO_SIZE, BOTH),
    ],
)
def test_boxes_count_in_the_size_that_the_annotation_declares(
    tmp_path: Path, declared: tuple[int, int], outcome: str | None, reason: str, lines: list[str] | None
) -> None:
    source = write_voc(tmp_path / "source")
    voc_xml(source / XML, voc_object() if lines and len(lines) == 1 else VOC_OBJECTS, declared)
    import_dataset("voc", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target").get("005") == lines
    assert notes(tmp_path / "target") == ([(XML, "", outcome, reason)] if outcome else [])


def test_a_size_says_nothing_of_an_image_without_boxes(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    voc_xml(source / XML, "", (40, 40))
    import_dataset("voc", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == []
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    ("declared", "expected", "lines"),
    [
        ((80, 60), [(XML, "", "changed", RESIZED)], ["0 0.150000 0.200000 0.200000 0.200000"]),
        ((60, 80), [(XML, "", "left out", OTHER_SHAPE)], None),  # turned and resized since
    ],
)
def test_an_image_that_exif_turns_may_have_been_resized_but_not_turned_since(
    tmp_path: Path, declared: tuple[int, int], expected: list[tuple[str, ...]], lines: list[str] | None
) -> None:
    source = write_voc(tmp_path / "source")
    picture(source / IMAGE, 5, size=(30, 40), orientation=6)  # shown as 40 x 30
    voc_xml(source / XML, voc_object(), declared)
    import_dataset("voc", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target").get("005") == lines
    assert notes(tmp_path / "target") == expected


@pytest.mark.parametrize(
    ("size", "orientation", "declared"),
    [
        ((40, 30), 3, (40, 30)),  # upside down
        ((30, 40), 6, (0, 0)),  # shown as 40 x 30, but nothing says what the boxes were drawn on
    ],
)
def test_a_turn_that_the_declared_size_cannot_tell_is_noted(
    tmp_path: Path, size: tuple[int, int], orientation: int, declared: tuple[int, int]
) -> None:
    source = write_voc(tmp_path / "source")
    picture(source / IMAGE, 5, size, orientation)
    voc_xml(source / XML, size=declared)
    import_dataset("voc", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH
    assert notes(tmp_path / "target") == [
        (XML, "", "kept", "image that EXIF rotates; its boxes are taken as those of the rotated image")
    ]


def test_only_images_that_no_annotation_speaks_of_become_backgrounds(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    (source / XML).write_text("<annotation>")
    (source / "Annotations/006.xml").unlink()
    import_dataset("voc", source, tmp_path / "target", Options(background=True))
    found = labels(tmp_path / "target")
    assert found["006"] == []
    assert "005" not in found


def test_images_and_xml_may_lie_side_by_side_under_any_name_that_fits(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / f"source/a {number}.JPG", number)
        voc_xml(tmp_path / f"source/a {number}.xml", named=r"C:\somewhere\else.jpg")
        picture(tmp_path / f"source/pics/{number}.png", 10 + number)
        voc_xml(tmp_path / f"source/boxes/box{number}.xml", named=f"/elsewhere/{number}.png")
    import_dataset("voc", tmp_path / "source", tmp_path / "target", Options())
    assert sorted(labels(tmp_path / "target")) == sorted([*map(str, range(6)), *(f"a {n}" for n in range(6))])
    assert not notes(tmp_path / "target")


def write_lists(source: Path, lists: Mapping[str, str]) -> None:
    for file, text in lists.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text, encoding="utf-8")


def numbers(first: int, last: int, line: str = "{:03d}") -> str:
    """A list of the images with these numbers."""
    return "".join(line.format(number) + "\n" for number in range(first, last + 1))


def placed(target: Path) -> dict[str, set[int]]:
    """Numbers of the images in each split."""
    found = defaultdict(set)
    for path in target.glob("*/labels/*.txt"):
        found[path.parts[-3]].add(int(path.stem))
    return found


ALL = set(range(12))
MAIN = "ImageSets/Main"
OWN = "the source's own split"


# VOC2007 development kit, documentation: trainval is train and val together; `<class>_<set>.txt` has the names of the
# set, each with 1, 0 or -1; the sets of Layout and Segmentation are for other tasks.
@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        (
            {"train.txt": numbers(0, 5), "val.txt": numbers(6, 8), "trainval.txt": numbers(0, 8)}
            | {"test.txt": numbers(9, 11)},
            {"train": set(range(6)), "val": {6, 7, 8}, "test": {9, 10, 11}},
        ),
        (
            {"train.txt": numbers(0, 7), "trainval.txt": numbers(0, 9), "test.txt": numbers(10, 11)},
            {"train": set(range(8)), "val": {8, 9}, "test": {10, 11}},
        ),
        (
            {"val.txt": numbers(8, 11), "trainval.txt": numbers(0, 11)},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
        (
            {"train.txt": numbers(0, 7, "{:03d} -1"), "val.txt": numbers(8, 11, "{:03d}  1")},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
        (
            {"train.txt": numbers(0, 7, "{:03d}.jpg"), "val.txt": numbers(8, 11, "JPEGImages\\{:03d}.png 1")},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
        (  # CVAT's names
            {"Train.txt": numbers(0, 7), "Validation.txt": numbers(8, 11), "default.txt": numbers(0, 11)},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
        (  # beside Main, as PaddleDetection and others write them
            {"../train.txt": numbers(0, 7, "./JPEGImages/{0:03d}.png ./Annotations/{0:03d}.xml")}
            | {"../val.txt": numbers(8, 11, "/home/me/VOC/JPEGImages/{:03d}.png")},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
        (
            {"train.txt": numbers(0, 7), "val.txt": numbers(8, 11), "../val.txt": numbers(0, 3)}
            | {"../../2007_test.txt": numbers(0, 3), "../Segmentation/test.txt": numbers(0, 3)},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
        (  # VOC has a class called train
            {"train.txt": numbers(0, 7), "val.txt": numbers(8, 11), "train_val.txt": numbers(0, 3, "{:03d} -1")}
            | {"train_test.txt": numbers(0, 3, "{:03d}  1"), "dog_test.txt": numbers(0, 3)},
            {"train": set(range(8)), "val": {8, 9, 10, 11}},
        ),
    ],
)
def test_the_lists_of_a_voc_dataset_are_its_split(
    tmp_path: Path, lists: dict[str, str], expected: dict[str, set[int]]
) -> None:
    source = write_voc(tmp_path / "source")
    write_lists(source, {f"{MAIN}/{file}": text for file, text in lists.items()})
    assert import_dataset("voc", source, tmp_path / "target", Options()).how == OWN
    assert placed(tmp_path / "target") == expected
    assert not notes(tmp_path / "target")


def test_the_test_images_of_voc2007_as_published_stay_and_val_is_taken_from_trainval(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    write_lists(source, {f"{MAIN}/trainval.txt": numbers(0, 8), f"{MAIN}/test.txt": numbers(9, 11)})
    imported = import_dataset("voc", source, tmp_path / "target", Options())
    found = placed(tmp_path / "target")
    assert found.pop("test") == {9, 10, 11}
    assert {split: len(images) for split, images in found.items()} == {"train": 7, "val": 2}
    assert imported.how == ("the source's own test split; val taken from trainval by seed 0, near-duplicates together")
    assert not notes(tmp_path / "target")
    import_dataset("voc", source, tmp_path / "other", Options(seed=1))
    assert placed(tmp_path / "other")["val"] != found["val"]


@pytest.mark.parametrize(
    ("name", "counts", "how"),
    [
        ("test", {"test": 10, "val": 1, "train": 1}, "the source's own test split; val taken from the other images"),
        ("train", {"train": 7, "val": 2, "test": 1}, "the source's own train split; val and test taken from train"),
        ("trainval", {"train": 7, "val": 2, "test": 1}, "the source's own trainval split; val and test taken from"),
    ],
)
def test_of_a_lone_list_what_it_says_stays(tmp_path: Path, name: str, counts: dict[str, int], how: str) -> None:
    source = write_voc(tmp_path / "source")
    write_lists(source, {f"{MAIN}/{name}.txt": numbers(0, 9)})
    assert import_dataset("voc", source, tmp_path / "target", Options()).how.startswith(how)
    found = placed(tmp_path / "target")
    assert {split: len(images) for split, images in found.items()} == counts
    if name == "test":
        assert found["test"] == set(range(10))
    else:
        assert set.union(*found.values()) == set(range(10))
        assert [note[3] for note in notes(tmp_path / "target")] == ["image in none of the source's own splits"] * 2


def test_a_lone_list_of_all_images_for_val_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    write_lists(source, {f"{MAIN}/val.txt": numbers(0, 11)})
    with pytest.raises(DatasetError, match=r"own split has only val \(as JPEGImages/000\.png\).*--resplit makes"):
        import_dataset("voc", source, tmp_path / "target", Options())
    import_dataset("voc", source, tmp_path / "target", Options(resplit=True))
    assert set.union(*placed(tmp_path / "target").values()) == ALL


def test_each_dataset_in_a_devkit_has_its_own_lists(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for year, first in (("VOC2007", 0), ("VOC2012", 12)):
        write_voc(source / year)
        for number in range(12):
            picture(source / f"{year}/JPEGImages/{number:03d}.png", first + number)
    write_lists(source / "VOC2007", {f"{MAIN}/trainval.txt": numbers(0, 7), f"{MAIN}/test.txt": numbers(8, 11)})
    write_lists(source / "VOC2012", {f"{MAIN}/train.txt": numbers(0, 7), f"{MAIN}/val.txt": numbers(8, 11)})
    imported = import_dataset("voc", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (16, 32), "val": (4, 8), "test": (4, 8)}
    assert imported.how == OWN
    found = {path.parts[-3]: path.stem for path in tmp_path.glob("target/*/images/*-008.png")}
    assert found == {"test": "VOC2007-JPEGImages-008", "val": "VOC2012-JPEGImages-008"}


def test_what_does_not_fit_in_an_own_split_is_listed(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", {"train": 6, "val": 3, "test": 2})
    with (source / "ImageSets/Main/val.txt").open("a", encoding="utf-8") as lists:
        lists.write("000 1\n\nnone\n")
    write_lists(source, {f"{MAIN}/cat_train.txt": "011 -1\n", "docs/train.txt": "Six images.\n"})
    imported = import_dataset("voc", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (5, 10), "val": (4, 8), "test": (2, 4)}
    assert placed(tmp_path / "target")["val"] == {0, 6, 7, 8}
    assert notes(tmp_path / "target") == [
        ("ImageSets/Main/val.txt", "line 6", "left out", "listed image that is not there or was left out"),
        ("JPEGImages/000.png", "", "changed", "image in several splits, kept in val"),
        ("JPEGImages/011.png", "", "left out", "image in none of the source's own splits"),
        ("docs/train.txt", "", "left out", "list of a split without an image of the source"),
    ]


CATS = f"<annotation>{{}}<size><width>40</width><height>30</height></size>{voc_object('{}')}</annotation>"


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [
        # What tools declare, the codec of Python that it means, and a name that Expat alone would not read.
        ("utf8", "utf-8", "猫"),
        ("UTF-8", "utf-8-sig", "猫"),
        ("gb2312", "gb2312", "猫"),
        ("GB2312", "gbk", "貓"),  # GBK has it and GB2312 has not; WHATWG's Encoding Standard reads both as GBK
        ("GBK", "gbk", "貓"),
        ("gb18030", "gb18030", "𠮷"),
        ("Big5", "big5", "貓"),
        ("Shift-JIS", "shift_jis", "ネコ"),
        ("Shift_JIS", "cp932", "①"),
        ("euc-kr", "euc_kr", "고양이"),
        ("windows-1252", "cp1252", "Kätzchen"),
        ("ISO-8859-1", "latin-1", "Kätzchen"),
        ("UTF-16", "utf-16", "猫"),
        ("utf-16", "utf-8", "猫"),  # as .NET's StringWriter declares what is then written as UTF-8
        ("", "utf-8", "猫"),
        ("", "utf-16", "猫"),
        ("", "utf-16-le", "猫"),
        ("", "utf-16-be", "猫"),
    ],
)
def test_xml_is_read_in_the_encoding_that_it_declares(tmp_path: Path, declared: str, codec: str, name: str) -> None:
    source = write_voc(tmp_path / "source")
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    (source / XML).write_bytes((declaration + CATS.format("", name)).encode(codec))
    imported = import_dataset("voc", source, tmp_path / "target", Options())
    assert f"- {name}\n" in (tmp_path / "target/data.yaml").read_text(encoding="utf-8")
    assert not notes(tmp_path / "target")
    assert "classes:" not in imported.describe()


@pytest.mark.parametrize(
    ("content", "line", "value"),
    [
        (CATS.format("\n", "安全帽").encode("gbk"), "line 2", "byte 0xb0: not UTF-8, and no encoding declared"),
        (b'<?xml version="1.0" encoding="utf-8"?>\n<annotation>\xc3\x28', "line 2", "byte 0xc3: not utf-8, which"),
        (b'<?xml version="1.0" encoding="GBK"?><annotation>\xff', "line 1", "byte 0xff: not gbk, which it declares"),
        (b'<?xml version="1.0" encoding="none"?><annotation/>', "", "declares the unknown encoding none"),
        (b'<?xml version="1.0" encoding="hex"?><annotation/>', "", "declares the unknown encoding hex"),
        (b'\n<?xml version="1.0" encoding="GBK"?>\n<annotation>\n</cat>', "line 4", "mismatched tag"),
        ("<annotation>".encode("utf-16")[:-1], "line 1", "byte 0x3e: not UTF-16, which it declares"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_so_is_what_it_does_to_the_classes(
    tmp_path: Path, content: bytes, line: str, value: str
) -> None:
    source = write_voc(tmp_path / "source")
    (source / XML).write_bytes(content)
    imported = import_dataset("voc", source, tmp_path / "target", Options())
    (unread,) = [note for note in imported.notes if note.file == XML]
    assert (unread.record, unread.reason, unread.outcome) == (line, "not readable as XML", "left out")
    assert unread.value.startswith(value)
    doubt = "classes: 1 file could not be read, and may have others; give all of them by --names a,b,c\n"
    assert doubt in imported.describe()
    named = import_dataset("voc", source, tmp_path / "named", Options(names=("cat", "dog")))
    assert doubt not in named.describe()


def test_classes_are_those_found_in_alphabetical_order_unless_named(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source")
    voc_xml(source / XML, voc_object("ant"))
    import_dataset("voc", source, tmp_path / "found", Options())
    assert "names:\n- ant\n- cat\n- dog\n" in (tmp_path / "found/data.yaml").read_text()
    import_dataset("voc", source, tmp_path / "named", Options(names=("dog", "cat")))
    assert "names:\n- dog\n- cat\n" in (tmp_path / "named/data.yaml").read_text()
    assert labels(tmp_path / "named")["004"] == ["1" + LINES["cat"][1:], "0" + LINES["dog"][1:]]
    assert notes(tmp_path / "named") == [(XML, "object 1", "left out", "class that --names leaves out")]
    assert labels(tmp_path / "named")["005"] == []  # a background of the classes that were asked for


def test_a_folder_without_xml_is_no_voc_dataset(tmp_path: Path) -> None:
    picture(tmp_path / "source/a.png", 1)
    with pytest.raises(DatasetError, match=r"source: no \.xml files"):
        import_dataset("voc", tmp_path / "source", tmp_path / "target", Options())
    assert not (tmp_path / "target").exists()
