from __future__ import annotations

from collections.abc import Callable
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
        (xml(VOC_OBJECTS, size=(0, 0)), [], BOTH),
        (
            xml(VOC_OBJECTS, size=(400, 300)),
            [(XML, "", "kept", "declared size that the image does not have")],
            BOTH,
        ),
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
            xml(VOC_OBJECTS + voc_object("cat", (9, 9, 8, 12))),
            [(XML, "object 3", "left out", "box without width or height")],
            BOTH,
        ),
        (
            xml(VOC_OBJECTS + voc_object("cat", (20, 9, 5, 12))),
            [(XML, "object 3", "left out", "box without width or height")],
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


def test_an_own_split_is_that_of_the_lists_and_what_does_not_fit_is_listed(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "source", {"train": 6, "val": 3, "test": 2})
    with (source / "ImageSets/Main/val.txt").open("a", encoding="utf-8") as lists:
        lists.write("000 1\n\nnone\n")
    (source / "ImageSets/Main/cat_train.txt").write_text("011 -1\n", encoding="utf-8")
    imported = import_dataset("voc", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (6, 12), "val": (3, 6), "test": (2, 4)}
    assert {path.stem for path in tmp_path.glob("target/val/labels/*")} == {"006", "007", "008"}
    assert notes(tmp_path / "target") == [
        ("ImageSets/Main/val.txt", "line 4", "left out", "image listed in two splits"),
        ("ImageSets/Main/val.txt", "line 6", "left out", "listed image that is not there or was left out"),
        ("JPEGImages/011.png", "", "left out", "image in none of the lists in ImageSets/Main"),
    ]


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
