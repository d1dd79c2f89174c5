"""labelme's format as labelme 5 writes and reads it: two opposite corners in any order, in pixels from 0."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.importing.conversion import import_dataset
from mobileyolo.importing.sources import Options
from tests.foreign import (
    HEIGHT,
    IMAGES,
    LINES,
    WIDTH,
    labelme_record,
    labelme_shape,
    labels,
    notes,
    picture,
    snapshot,
    write_json,
    write_labelme,
)

BOTH = list(LINES.values())


def test_rectangles_are_read_whichever_corner_was_drawn_first(tmp_path: Path) -> None:
    import_dataset("labelme", write_labelme(tmp_path / "source"), tmp_path / "target", Options())
    assert "names:\n- cat\n- dog\n" in (tmp_path / "target/data.yaml").read_text()
    assert labels(tmp_path / "target") == {f"{number:03d}": BOTH for number in range(IMAGES)}
    assert not notes(tmp_path / "target")


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (labelme_shape(kind="polygon", points=[[1, 1], [9, 1], [9, 9]]), "polygon, not a rectangle"),
        (labelme_shape(kind="circle"), "circle, not a rectangle"),
        (labelme_shape(kind="mask"), "mask, not a rectangle"),
        ({"label": "cat", "points": [[1, 1], [9, 1], [9, 9]]}, "polygon, not a rectangle"),  # labelme before 3.17
        (labelme_shape(kind="blob"), "shape of unknown type"),
        (labelme_shape(label=" "), "shape without a label"),
        (labelme_shape(points=[[1, 1]]), "rectangle without two corners"),
        (labelme_shape(points=[[1, 1], [9]]), "rectangle without two corners"),
        (labelme_shape(points=[[1, 1], [9, "x"]]), "rectangle without two corners"),
        (labelme_shape(points=[[1, 1], [9, float("nan")]]), "rectangle without two corners"),
        (labelme_shape(points=None), "rectangle without two corners"),
        (labelme_shape(points=[[1, 1], [1, 9]]), "box without width or height"),
        (labelme_shape(points=[[50, 1], [60, 9]]), "box outside its image"),
        (labelme_shape(), "same box twice"),
        ("x", "polygon, not a rectangle"),
    ],
)
def test_what_is_wrong_with_one_shape_is_listed_and_the_others_are_imported(
    tmp_path: Path, shape: object, reason: str
) -> None:
    source = write_labelme(tmp_path / "source")
    write_json(source / "005.json", labelme_record("005.png", shape))
    before = snapshot(source)
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [("005.json", "shape 3", "left out", reason)]
    assert all(lines == BOTH for lines in labels(tmp_path / "target").values())
    assert snapshot(source) == before


def test_other_shapes_are_counted_by_their_type(tmp_path: Path) -> None:
    source = write_labelme(tmp_path / "source")
    for number in range(5):
        others = [labelme_shape(kind="polygon"), labelme_shape(kind="polygon"), labelme_shape(kind="point")]
        write_json(source / f"{number:03d}.json", labelme_record(f"{number:03d}.png", *others))
    said = import_dataset("labelme", source, tmp_path / "target", Options()).describe()
    assert "  left out: polygon, not a rectangle: 10\n" in said
    assert "  left out: point, not a rectangle: 5\n" in said


def test_a_rectangle_of_four_corners_is_read_as_x_anylabeling_writes_it(tmp_path: Path) -> None:
    source = write_labelme(tmp_path / "source")
    record = labelme_record("005.png")
    record["shapes"][0]["points"] = [[4, 6], [20, 6], [20, 18], [4, 18]]
    write_json(source / "005.json", record)
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH


def moved(images: str, files: str, written: str) -> Callable[[Path], None]:
    """Images and files in folders of their own, and what the files call their images."""

    def move(root: Path) -> None:
        for folder, suffix in ((images, "png"), (files, "json")):
            (root / folder).mkdir(parents=True, exist_ok=True)
            for file in sorted(root.glob(f"0*.{suffix}")):
                file.rename(root / folder / file.name)
        for file in (root / files).glob("0*.json"):
            write_json(file, labelme_record(written.format(file.stem)))

    return move


@pytest.mark.parametrize(
    ("change", "noted"),
    [
        (moved("images", "labels", r"..\images\{}.png"), False),
        (moved("images", "labels", "../images/{}.png"), False),
        (moved("images", "labels", "{}.png"), False),
        (moved("images", "labels", r"D:\photos\{}.png"), True),
        (moved("images", "labels", r"..\photos\{}.png"), True),
        (moved(".", ".", r"D:\photos\{}.jpg"), False),  # beside it, so nothing is guessed
        (moved(".", ".", "renamed.png"), False),
        (moved("images", "labels", ""), True),
    ],
)
def test_an_image_is_found_by_the_path_in_the_file_or_beside_it(
    tmp_path: Path, change: Callable[[Path], None], noted: bool
) -> None:
    source = write_labelme(tmp_path / "source")
    change(source)
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES
    reasons = {reason for _, _, _, reason in notes(tmp_path / "target")}
    assert reasons == ({"path that is not here, taken as the image of that name"} if noted else set())


def test_boxes_of_an_image_that_was_resized_since_count_in_the_size_that_the_file_declares(tmp_path: Path) -> None:
    source = write_labelme(tmp_path / "source")
    picture(source / "005.png", 5, (2 * WIDTH, 2 * HEIGHT))
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == BOTH


def test_a_file_outside_the_source_is_never_read(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png", 50)
    source = write_labelme(tmp_path / "source")
    write_json(source / "more.json", labelme_record("../secret.png"))
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [("more.json", "", "left out", "annotation without image")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"label": "\udce9"}', "not readable as JSON"),  # not UTF-8
        (json.dumps({"shapes": {}}), "JSON without labelme's list shapes"),
        (json.dumps([1]), "JSON without labelme's list shapes"),
    ],
)
def test_a_file_that_is_not_labelmes_is_listed_and_its_image_is_no_background(
    tmp_path: Path, content: str, reason: str
) -> None:
    source = write_labelme(tmp_path / "source")
    (source / "005.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    import_dataset("labelme", source, tmp_path / "target", Options(background=True))
    assert ("005.json", "", "left out", reason) in notes(tmp_path / "target")
    assert ("005" in labels(tmp_path / "target")) == (reason != "not readable as JSON")


@pytest.mark.parametrize("background", [False, True])
def test_an_image_without_file_is_a_background_only_if_asked_for(tmp_path: Path, background: bool) -> None:
    source = write_labelme(tmp_path / "source")
    (source / "005.json").unlink()
    import_dataset("labelme", source, tmp_path / "target", Options(background=background))
    assert ("005" in labels(tmp_path / "target")) == background
    assert notes(tmp_path / "target") == [("005.png", "", "left out", "image without annotation")] * (not background)


def test_a_file_without_shapes_is_a_background(tmp_path: Path) -> None:
    source = write_labelme(tmp_path / "source")
    write_json(source / "005.json", {**labelme_record("005.png"), "shapes": []})
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert labels(tmp_path / "target")["005"] == []


def test_the_second_file_of_an_image_is_left_out(tmp_path: Path) -> None:
    source = write_labelme(tmp_path / "source")
    write_json(source / "more/005.json", labelme_record("../005.png", labelme_shape("fox")))
    import_dataset("labelme", source, tmp_path / "target", Options())
    assert notes(tmp_path / "target") == [("more/005.json", "", "left out", "second annotation of an image")]
    assert list(labels(tmp_path / "target").values()) == [BOTH] * IMAGES


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {},
            "no labelme annotations: looked for .json files with the list shapes, found no .json file; name the folder",
        ),
        (
            {"a.json": {"annotations": []}},
            "found a.json; 1 of them look like COCO's, which `mobileyolo import coco` reads",
        ),
        ({"a.json": 5}, "found a.json; name the folder that holds both annotations and images"),
    ],
)
def test_a_folder_without_labelmes_files_is_one_short_error(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    picture(tmp_path / "source/a.png", 0)
    for name, content in files.items():
        write_json(tmp_path / "source" / name, content)
    with pytest.raises(DatasetError, match=said):
        import_dataset("labelme", tmp_path / "source", tmp_path / "target", Options())


def test_where_no_file_can_be_read_the_error_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"1 of them can't be read: .*a\.json:2: not JSON"):
        import_dataset("labelme", tmp_path, tmp_path.with_name("target"), Options())
