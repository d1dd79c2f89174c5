from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import psutil
import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.importing.conversion import import_dataset
from mobileyolo.importing.sources import Options
from tests.foreign import (
    HEIGHT,
    IMAGES,
    LINES,
    WIDTH,
    annotation,
    coco_record,
    labelme_record,
    labels,
    notes,
    picture,
    snapshot,
    write_coco,
    write_json,
)

FILE = "annotations/boxes.json"
Ids = Callable[[int], Any]
BOTH = list(LINES.values())
NO_BBOX = "annotation without a bbox of four numbers"
RLE = {"size": [30, 40], "counts": [600, 200, 400]}


def with_ids(images: Ids, annotations: Ids, categories: Ids, used: Ids) -> dict[str, Any]:
    """A record whose ids are of these types, where they are given and where they are used."""
    record = coco_record(range(IMAGES))
    for each in record["images"]:
        each["id"] = images(each["id"])
    for each in record["categories"]:
        each["id"] = categories(each["id"])
    for each in record["annotations"]:
        each["image_id"], each["category_id"] = annotations(each["image_id"]), used(each["category_id"])
    return record


def test_boxes_are_read_by_category_name_whatever_the_ids(tmp_path: Path) -> None:
    import_dataset("coco", write_coco(tmp_path / "source"), tmp_path / "target", Options())
    assert "names:\n- cat\n- dog\n" in (tmp_path / "target/data.yaml").read_text()
    found = labels(tmp_path / "target")
    assert len(found) == IMAGES
    assert all(lines == BOTH for lines in found.values())
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (annotation(99, 5, 3, [1, 1, 9, 9], iscrowd=1, segmentation=RLE), "crowd: one box round several objects"),
        (annotation(99, 5, 3, [1, 1, 9, 9], ignore=1), "annotation marked to be ignored"),
        (annotation(99, 5, 3, [1, 1, 9, 9], iscrowd="no"), "iscrowd or ignore that is neither 0 nor 1"),
        (annotation(99, 5, 4, [1, 1, 9, 9]), "unknown category"),
        (annotation(99, 5, "cat", [1, 1, 9, 9]), "unknown category"),  # type: ignore[arg-type]
        (annotation(99, 5, True, [1, 1, 9, 9]), "unknown category"),
        (annotation(99, 77, 3, [1, 1, 9, 9]), "annotation without image"),
        (annotation(99, [5], 3, [1, 1, 9, 9]), "annotation without image"),  # type: ignore[arg-type]
        (annotation(99, 5, 3, []), NO_BBOX),
        (annotation(99, 5, 3, [1, 1, 9]), NO_BBOX),
        (annotation(99, 5, 3, [1, 1, "9 px", 9]), NO_BBOX),  # type: ignore[list-item]
        (annotation(99, 5, 3, [1, 1, float("nan"), 9]), NO_BBOX),
        (annotation(99, 5, 3, [1, 1, 10**400, 9]), NO_BBOX),
        ({"id": 99, "image_id": 5, "category_id": 3, "segmentation": RLE}, NO_BBOX),
        (annotation(99, 5, 3, [1, 1, 0, 9]), "box without width or height"),
        (annotation(99, 5, 3, [9, 9, -4, 4]), "box without width or height"),
        (annotation(99, 5, 3, [40, 1, 9, 9]), "box outside its image"),
        (annotation(99, 5, 3, [4, 6, 16, 12]), "same box twice"),
    ],
)
def test_what_is_wrong_with_one_annotation_is_listed_and_the_others_are_imported(
    tmp_path: Path, extra: dict[str, Any], reason: str
) -> None:
    record = coco_record(range(IMAGES))
    record["annotations"].append(extra)
    source = write_coco(tmp_path / "source", record)
    before = snapshot(source)
    import_dataset("coco", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [(FILE, "annotation 99", "left out", reason)]
    assert all(lines == BOTH for lines in labels(tmp_path / "target").values())
    assert snapshot(source) == before


@pytest.mark.parametrize(
    ("section", "extra", "where", "reason"),
    [
        ("images", {"id": 5, "file_name": "005.png"}, "image 5", "image listed twice"),
        ("images", {"id": 50, "file_name": "none.png"}, "image 50", "image without file"),
        ("images", {"id": 50, "file_name": "../../etc/passwd"}, "image 50", "image without file"),
        ("images", {"id": 50, "file_name": "/"}, "image 50", "image without file"),
        ("images", {"id": 50, "file_name": ".."}, "image 50", "image without file"),
        ("images", {"id": 50, "file_name": "http://[host/none.png?"}, "image 50", "image without file"),
        ("images", {"id": 50, "file_name": "\ud800.png"}, "image 50", "image without file"),
        ("images", {"id": 50, "file_name": ""}, "image 50", "image without file"),
        ("images", {"id": 50}, "image 50", "image without id or file_name"),
        ("images", 3, "images[12]", "image without id or file_name"),
        ("annotations", "x", "annotations[24]", "annotation without image"),
        ("categories", {"id": 9}, "categories[2]", "category without id or name"),
    ],
)
def test_what_is_wrong_with_one_record_is_listed_and_the_others_are_imported(
    tmp_path: Path, section: str, extra: object, where: str, reason: str
) -> None:
    record = coco_record(range(IMAGES))
    record[section].append(extra)
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [(FILE, where, "left out", reason)]
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES


def test_images_that_no_file_mentions_are_listed(tmp_path: Path) -> None:
    source = write_coco(tmp_path / "source")
    picture(source / "images/more.png", 50)
    import_dataset("coco", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [("images/more.png", "", "left out", "image without annotation")]


def test_images_that_no_file_mentions_are_backgrounds_if_asked_for(tmp_path: Path) -> None:
    source = write_coco(tmp_path / "source")
    picture(source / "images/more.png", 50)
    import_dataset("coco", source, tmp_path / "target", Options(background=True))
    assert labels(tmp_path / "target")["more"] == []
    assert not notes(tmp_path / "target")


def test_an_image_whose_record_cannot_be_used_is_no_background(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["images"][7]["id"] = record["images"][5]["id"]
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options(background=True))
    assert {"005", "007"} & labels(tmp_path / "target").keys() == set()


def test_an_image_without_annotations_is_a_background(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["annotations"] = [each for each in record["annotations"] if each["image_id"] != 5]
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == []


def test_several_files_are_the_sources_own_split_and_find_their_own_images(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for split, first in (("train", 0), ("val", 20), ("test", 40)):
        for number in range(4):
            picture(source / f"{split}2017/{number:03d}.png", first + number)
        write_json(source / f"annotations/instances_{split}2017.json", coco_record(range(4)))
        write_json(source / f"annotations/person_keypoints_{split}2017.json", coco_record(range(4)))
    imported = import_dataset("coco", source, tmp_path / "target", Options())
    assert imported.splits == {"train": (4, 8), "val": (4, 8), "test": (4, 8)}
    assert imported.how == "the source's own split"
    assert not [note for note in notes(tmp_path / "target") if note[3] != "renamed"]
    for split in ("train", "val", "test"):
        for number in range(4):
            written = tmp_path / f"target/{split}/images/{split}2017-{number:03d}.png"
            assert written.read_bytes() == (source / f"{split}2017/{number:03d}.png").read_bytes()


def test_an_annotation_file_in_each_splits_folder_is_a_split_too(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for folder, first in (("train", 0), ("valid", 4)):
        for number in range(first, first + 4):
            picture(source / f"{folder}/{number:03d}.png", number)
        write_json(source / f"{folder}/_annotations.coco.json", coco_record(range(first, first + 4)))
    assert import_dataset("coco", source, tmp_path / "target", Options()).splits == {"train": (4, 8), "val": (4, 8)}


def write_split(source: Path, parts: dict[str, range]) -> Path:
    """Images, and an annotation file for each part; the numbers of its images."""
    write_coco(source)
    (source / FILE).unlink()
    for file, images in parts.items():
        write_json(source / f"annotations/{file}", coco_record(images))
    return source


SAYS_NO_SPLIT = "annotation file whose name says no split"


@pytest.mark.parametrize(
    ("parts", "splits", "how", "expected"),
    [
        (
            {"voc07_trainval.json": range(9), "voc07_test.json": range(9, 12)},
            {"train": (7, 14), "val": (2, 4), "test": (3, 6)},
            "the source's own test split; val taken from trainval by seed 0, near-duplicates together",
            [],
        ),
        (
            {"training.json": range(8), "dev.json": range(8, 10), "testing.json": range(10, 12)},
            {"train": (8, 16), "val": (2, 4), "test": (2, 4)},
            "the source's own split",
            [],
        ),
        (
            {"all.json": range(12), "train.json": range(8), "val.json": range(8, 12)},
            {"train": (8, 16), "val": (4, 8)},
            "the source's own split",
            [("annotations/all.json", "", "kept", SAYS_NO_SPLIT)],
        ),
        (
            {"all.json": range(12), "train.json": range(8), "val.json": range(8, 11)},
            {"train": (8, 16), "val": (3, 6)},
            "the source's own split",
            [
                ("annotations/all.json", "", "kept", SAYS_NO_SPLIT),
                ("images/011.png", "", "left out", "image in none of the source's own splits"),
            ],
        ),
        (
            {"train.json": range(9), "test.json": range(8, 12)},
            {"train": (6, 12), "val": (2, 4), "test": (4, 8)},
            "the source's own test split; val taken from train by seed 0, near-duplicates together",
            [("images/008.png", "", "changed", "image in several splits, kept in test")],
        ),
        (
            {"public.json": range(6), "more.json": range(6, 12)},
            {"train": (9, 18), "val": (2, 4), "test": (1, 2)},
            "split by seed 0, near-duplicates together",
            [(f"annotations/{name}.json", "", "kept", SAYS_NO_SPLIT) for name in ("more", "public")],
        ),
    ],
)
def test_the_names_of_annotation_files_say_the_split(
    tmp_path: Path, parts: dict[str, range], splits: dict[str, tuple[int, int]], how: str, expected: list[object]
) -> None:
    imported = import_dataset("coco", write_split(tmp_path / "source", parts), tmp_path / "target", Options())
    assert imported.splits == splits
    assert imported.how == how
    assert notes(tmp_path / "target") == expected


def test_where_the_only_file_says_no_split_the_folders_of_images_do(tmp_path: Path) -> None:
    source = write_coco(tmp_path / "source")
    for folder, images in (("train", range(8)), ("valid", range(8, 12))):
        for number in images:
            picture(source / f"{folder}/{number:03d}.png", number)
    shutil.rmtree(source / "images")
    assert import_dataset("coco", source, tmp_path / "target", Options()).splits == {"train": (8, 16), "val": (4, 8)}


def test_an_image_that_two_files_give_other_boxes_keeps_the_first_ones(tmp_path: Path) -> None:
    source = write_split(tmp_path / "source", {"train.json": range(8), "val.json": range(8, 12)})
    record = coco_record(range(12))
    record["annotations"].pop(0)
    write_json(source / "annotations/z.json", record)
    import_dataset("coco", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["000"] == BOTH
    assert notes(tmp_path / "target") == [
        ("annotations/z.json", "", "kept", SAYS_NO_SPLIT),
        ("annotations/z.json", "", "left out", "image that an earlier file has with other boxes"),
    ]


@pytest.mark.parametrize("factor", [0.5, 1, 3])
def test_boxes_of_images_that_were_resized_are_those_of_ultralytics_converter(tmp_path: Path, factor: float) -> None:
    from ultralytics.data.converter import convert_coco

    record = coco_record(range(IMAGES))
    for image in record["images"]:
        image |= {"width": round(WIDTH * factor), "height": round(HEIGHT * factor)}
    for each in record["annotations"]:
        each["bbox"] = [round(edge * factor, 1) for edge in each["bbox"]]
    source = write_coco(tmp_path / "source", record)
    import_dataset("coco", source, tmp_path / "target", Options())
    convert_coco(str(source / "annotations"), str(tmp_path / "converted"), cls91to80=False)
    for name, lines in labels(tmp_path / "target").items():
        converted = (tmp_path / f"converted/labels/boxes/{name}.txt").read_text().splitlines()
        theirs = [tuple(map(float, line.split()[1:])) for line in converted]
        assert [tuple(map(float, line.split()[1:])) for line in lines] == theirs
    reason = "image resized since its annotation; boxes with it"
    changed = [] if factor == 1 else [(FILE, "", "changed", reason)] * IMAGES
    assert notes(tmp_path / "target") == changed


@pytest.mark.parametrize(
    ("size", "outcome", "reason"),
    [
        ((WIDTH, WIDTH), "left out", "boxes of an image of another shape: it was cropped, stretched or turned since"),
        ((HEIGHT, WIDTH), "left out", "boxes of an image of another shape: it was cropped, stretched or turned since"),
        ((0, 0), "kept", "annotation without its image's size; its boxes are taken in the image's pixels"),
    ],
)
def test_boxes_of_an_image_of_another_shape_are_left_out(
    tmp_path: Path, size: tuple[int, int], outcome: str, reason: str
) -> None:
    record = coco_record(range(IMAGES))
    record["images"][5] |= {"width": size[0], "height": size[1]}
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert labels(tmp_path / "target").get("005") == (BOTH if outcome == "kept" else None)
    assert notes(tmp_path / "target") == [(FILE, "", outcome, reason)]


def test_two_image_files_of_one_name_are_not_guessed_between(tmp_path: Path) -> None:
    source = write_coco(tmp_path / "source")
    picture(source / "more/005.png", 50)
    import_dataset("coco", source, tmp_path / "target", Options())
    assert (FILE, "image 5", "left out", "several image files of that name") in notes(tmp_path / "target")
    assert "005" not in labels(tmp_path / "target")


def test_a_file_that_would_fill_the_memory_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_coco(tmp_path / "source")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1_000_000_000))
    (source / FILE).write_text(f"[{','.join(['{}'] * 10_000_000)}]", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"boxes\.json: reading it takes about 1\.2 GB .*, and 1\.0 GB are free"):
        import_dataset("coco", source, tmp_path / "target", Options())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{\n 'a': 1}", r"boxes\.json:2: not JSON"),
        ("[" * 100_000, r"boxes\.json: not COCO"),
        ("[1]", "no COCO annotations.*found annotations/boxes.json"),
        (json.dumps({"images": [], "annotations": {}, "categories": []}), "no COCO annotations"),
        (json.dumps({"images": [], "annotations": [], "categories": []}), "no image with a box that can be used"),
    ],
)
def test_a_file_that_is_not_cocos_stops_the_import_with_its_name_and_line(
    tmp_path: Path, content: str, said: str
) -> None:
    source = write_coco(tmp_path / "source")
    (source / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        import_dataset("coco", source, tmp_path / "target", Options())
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


ELSEWHERE = "path that is not here, taken as the image of that name"


@pytest.mark.parametrize(
    "written",
    [
        r"D:\data\JPEGImages\005.png",
        r"D:005.png",
        r"\\server\share\005.png",
        "D:/data/005.png",
        "/home/me/data/005.png",
        "~/data/005.png",
        r"..\..\media\upload\4\005.png",  # Label Studio on Windows
        "../../elsewhere/005.png",
        "elsewhere/005.png",
        "http://localhost:8080/data/upload/4/005.png",
        "https://host/005.png?X-Signature=a%2Fb.png&size=1#top",
        "s3://bucket/images/005.png",
        "file:///C:/data/005.png",
        "/data/local-files/?d=data/005.png",  # Label Studio's local storage
        "%30%30%35.png",
        "a%20b/005.png",
        "005.PNG",
        "005.jpg",  # converted since
        "005",
        "005.png ",
    ],
)
def test_a_path_from_elsewhere_is_the_image_of_that_name(tmp_path: Path, written: str) -> None:
    record = coco_record(range(IMAGES))
    record["images"][5]["file_name"] = written
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH
    assert notes(tmp_path / "target") == [(FILE, "image 5", "kept", ELSEWHERE)]


@pytest.mark.parametrize("written", ["images/005.png", "../images/005.png", "./005.png", r"images\005.png"])
def test_a_path_that_leads_to_an_image_needs_no_note(tmp_path: Path, written: str) -> None:
    record = coco_record(range(IMAGES))
    record["images"][5]["file_name"] = written
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH
    assert not notes(tmp_path / "target")


def test_an_absolute_path_into_the_source_is_that_image_though_others_have_its_name(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["images"][5]["file_name"] = str((tmp_path / "source/images/005.png").resolve())
    source = write_coco(tmp_path / "source", record)
    picture(source / "more/005.png", 50)
    import_dataset("coco", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH
    assert notes(tmp_path / "target") == [("more/005.png", "", "left out", "image without annotation")]


def test_a_file_outside_the_source_is_never_read(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png", 50)
    for written in ("../../secret.png", str(tmp_path / "secret.png"), (tmp_path / "secret.png").as_uri()):
        record = coco_record(range(IMAGES))
        record["images"][5]["file_name"] = written
        source = write_coco(tmp_path / "source", record)
        import_dataset("coco", source, tmp_path / "target", Options())
        assert "005" not in labels(tmp_path / "target")
        assert (FILE, "image 5", "left out", "image without file") in notes(tmp_path / "target")
        shutil.rmtree(tmp_path / "target")


def test_lvis_names_its_images_by_a_url_alone(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    for each in record["images"]:
        each["coco_url"] = f"http://images.cocodataset.org/train2017/{each.pop('file_name')}"
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES


def test_a_path_that_leads_to_an_image_counts_before_others_of_its_name_even_in_another_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(IMAGES):
        picture(source / f"val/{number:03d}.png", number)
    gone, here = coco_record(range(IMAGES)), coco_record(range(IMAGES))
    gone["annotations"] = [{**each, "bbox": [0, 0, 9, 9]} for each in gone["annotations"]]
    for each in gone["images"]:
        each["file_name"] = f"train/{each['file_name']}"
    for each in here["images"]:
        each["file_name"] = f"val/{each['file_name']}"
    write_json(source / "a.json", gone)
    write_json(source / "b.json", here)
    import_dataset("coco", source, tmp_path / "target", Options(resplit=True))
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES
    reason = "path that is not here, with the name of a file that other images have or may have"
    assert [note for note in notes(tmp_path / "target") if note[0] == "a.json" and note[3] == reason] == [
        ("a.json", f"image {number}", "left out", reason) for number in range(IMAGES)
    ]


def test_two_paths_from_elsewhere_of_one_name_are_not_guessed_between(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["images"][5]["file_name"], record["images"][7]["file_name"] = "/a/005.png", "/b/005.png"
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    reason = "path that is not here, with the name of a file that other images have or may have"
    assert [note for note in notes(tmp_path / "target") if note[3] == reason] == [
        (FILE, f"image {number}", "left out", reason) for number in (5, 7)
    ]
    assert {"005", "007"} & labels(tmp_path / "target").keys() == set()


def test_images_that_share_an_id_are_all_left_out_by_name(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    for each in record["images"][4:]:
        each["id"] = 4
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert labels(tmp_path / "target") == {f"{number:03d}": BOTH for number in range(4)}
    table = pd.read_csv(tmp_path / "target/import.csv")
    shared = table[table.reason == "id that several images have"]
    assert shared.value.tolist() == [f"{number:03d}.png" for number in range(4, IMAGES)]


def test_an_image_with_two_ids_has_the_boxes_of_both_as_ultralytics_converter_makes_it(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["images"].append({**record["images"][5], "id": 50})
    record["annotations"][10]["image_id"] = 50
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert sorted(labels(tmp_path / "target")["005"]) == BOTH
    reason = "image listed under several ids, whose boxes are joined"
    assert notes(tmp_path / "target") == [(FILE, "image 50", "changed", reason)]


def test_of_two_ids_of_an_image_with_different_sizes_the_first_counts(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["images"].append({**record["images"][5], "id": 50, "width": 2 * WIDTH, "height": 2 * HEIGHT})
    record["annotations"].append(annotation(99, 50, 3, [1, 1, 9, 9]))
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH
    reason = "image listed under several ids, with another size than before"
    assert notes(tmp_path / "target") == [(FILE, "image 50", "left out", reason)]


def described(root: Path) -> str:
    return (root / "data.yaml").read_text(encoding="utf-8").partition("names:")[2]


# What pycocotools' createIndex makes of the same ids: keys of Python's dictionaries, of which 3.0 is 3.
def import_whole(source: Path, target: Path) -> None:
    """Import what `coco_record` describes, and find all of it."""
    import_dataset("coco", source, target, Options())
    assert described(target) == "\n- cat\n- dog\n"
    assert list(labels(target).values()) == [BOTH] * IMAGES


@pytest.mark.parametrize(
    ("images", "annotations", "categories", "used"),
    [
        (int, float, int, float),
        (float, int, float, int),
        (str, str, str, str),
        (lambda n: n + 0.5, lambda n: n + 0.5, int, int),
        (lambda n: n if n % 2 else str(n), lambda n: n if n % 2 else str(n), int, int),  # of two types
    ],
)
def test_ids_are_equal_where_pycocotools_holds_them_equal(
    tmp_path: Path, images: Ids, annotations: Ids, categories: Ids, used: Ids
) -> None:
    source = write_coco(tmp_path / "source", with_ids(images, annotations, categories, used))
    import_whole(source, tmp_path / "target")
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    ("images", "annotations", "categories", "used"),
    [
        (int, str, int, str),
        (str, int, str, int),
        (lambda n: f"{n:012d}", int, lambda n: f"{n}.0", int),
    ],
)
def test_a_number_as_text_is_that_number_where_nothing_else_has_it(
    tmp_path: Path, images: Ids, annotations: Ids, categories: Ids, used: Ids
) -> None:
    source = write_coco(tmp_path / "source", with_ids(images, annotations, categories, used))
    import_whole(source, tmp_path / "target")
    assert notes(tmp_path / "target") == [
        (FILE, "", "kept", f"{name} as text for a number, or the other way round; taken by its number")
        for name in ("image_id", "category_id")
    ]


def test_a_number_and_the_same_as_text_are_two_ids(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["images"][7]["id"] = "5"
    for each in record["annotations"]:
        each["image_id"] = "5" if each["image_id"] == 7 else each["image_id"]
    record["annotations"].pop()
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert {name: len(lines) for name, lines in labels(tmp_path / "target").items() if name in {"005", "007"}} == {
        "005": 2,
        "007": 2,
    }
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize("value", [0, "0", 0.0, False, None, "false", ""])
@pytest.mark.parametrize("name", ["iscrowd", "ignore"])
def test_a_flag_that_says_no_in_any_type_is_no(tmp_path: Path, name: str, value: object) -> None:
    record = coco_record(range(IMAGES))
    for each in record["annotations"]:
        each[name] = value
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize("value", [1, "1", 1.0, True, "true"])
def test_a_flag_that_says_yes_in_any_type_is_yes(tmp_path: Path, value: object) -> None:
    record = coco_record(range(IMAGES))
    record["annotations"].append(annotation(99, 5, 3, [1, 1, 9, 9], iscrowd=value))
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [(FILE, "annotation 99", "left out", "crowd: one box round several objects")]


def test_numbers_of_a_box_may_be_text_as_for_ultralytics_converter(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    for each in record["annotations"]:
        each["bbox"] = [str(number) for number in each["bbox"]]
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES


def test_annotations_that_share_an_id_are_all_kept(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["annotations"][1]["id"] = 0
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES
    assert notes(tmp_path / "target") == [(FILE, "annotation 0", "kept", "second annotation of that id")]


def test_a_supercategory_that_is_a_category_stays_one_as_in_pycocotools_and_is_noted(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))  # as Roboflow exports
    record["categories"] = [{**each, "supercategory": "pets"} for each in record["categories"]]
    record["categories"].insert(0, {"id": 0, "name": "pets", "supercategory": "none"})
    source = write_coco(tmp_path / "source", record)
    import_dataset("coco", source, tmp_path / "a", Options())
    assert described(tmp_path / "a") == "\n- pets\n- cat\n- dog\n"
    reason = "category without boxes that other categories belong to; --names without it leaves it out"
    assert notes(tmp_path / "a") == [(FILE, "category 0", "kept", reason)]
    import_dataset("coco", source, tmp_path / "b", Options(names=("cat", "dog")))
    assert list(labels(tmp_path / "b").values()) == [BOTH] * IMAGES


def test_categories_of_one_name_are_one_class(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["categories"].append({"id": 40, "name": "cat", "supercategory": "big"})
    record["annotations"][0]["category_id"] = 40
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert described(tmp_path / "target") == "\n- cat\n- dog\n"
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES
    reason = "second category of that name; both are one class"
    assert notes(tmp_path / "target") == [(FILE, "categories[2]", "changed", reason)]


def test_of_categories_with_one_id_the_last_counts_as_in_pycocotools(tmp_path: Path) -> None:
    record = coco_record(range(IMAGES))
    record["categories"].append({"id": 3, "name": "fox"})
    import_dataset("coco", write_coco(tmp_path / "source", record), tmp_path / "target", Options())
    assert described(tmp_path / "target") == "\n- fox\n- dog\n"
    reason = "second category of that id, which counts"
    assert notes(tmp_path / "target") == [(FILE, "categories[2]", "changed", reason)]


def test_a_folder_of_labelmes_files_is_told_in_a_few_words(tmp_path: Path) -> None:
    for number in range(300):
        write_json(tmp_path / f"source/{number:03d}.json", labelme_record(f"{number:03d}.png"))
    with pytest.raises(DatasetError) as refused:
        import_dataset("coco", tmp_path / "source", tmp_path / "target", Options())
    assert str(refused.value) == (
        f"{tmp_path / 'source'}: no COCO annotations: looked for .json files with the lists images, annotations, "
        "categories, found 000.json, 001.json, 002.json and 297 more; 300 of them are labelme's, which "
        "`mobileyolo import labelme` reads"
    )
