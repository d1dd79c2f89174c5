"""Boxes written in each format's own terms come back where they were, in the split that they were in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mobileyolo.core.records import SPLITS, Split
from mobileyolo.importing.conversion import import_dataset
from mobileyolo.importing.formats import SourceFormat
from mobileyolo.importing.sources import Options
from tests.foreign import labels, notes, picture, voc_object, voc_xml, write_json

NAMES = ("cell", "platelet")
SIZES = ((640, 480), (333, 217), (97, 1003))
Edges = tuple[float, float, float, float]  # left, top, right, bottom in pixels from 0


@dataclass(frozen=True)
class Case:
    stem: str
    split: Split
    size: tuple[int, int]
    boxes: tuple[tuple[int, Edges], ...]  # class id, edges


def cases() -> list[Case]:
    """Nine images of three sizes in three splits, with boxes anywhere; two of them have no width or no height."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(9):
        width, height = SIZES[number % 3]
        boxes = []
        for class_id in (0, 1, 0, 1):
            left, right = np.sort(rng.uniform(0, width - 1, 2)) + np.arange(2)
            top, bottom = np.sort(rng.uniform(0, height - 1, 2)) + np.arange(2)
            boxes.append((class_id, (float(left), float(top), float(right), float(bottom))))
        if number == 4:
            boxes.append((0, (10.0, 10.0, 10.0, 30.0)))
        if number == 7:
            boxes.append((1, (10.0, 10.0, 30.0, 10.0)))
        found.append(Case(f"{number:03d}", SPLITS[number // 3], (width, height), tuple(boxes)))
    return found


def to_voc(root: Path) -> None:
    """Pixels counted from 1, the last one included (VOC2007 development kit)."""
    for case in cases():
        objects = [
            voc_object(NAMES[i], (left + 1, top + 1, right, bottom)) for i, (left, top, right, bottom) in case.boxes
        ]
        voc_xml(root / f"Annotations/{case.stem}.xml", "".join(objects), case.size, f"{case.stem}.png")
        picture(root / f"JPEGImages/{case.stem}.png", int(case.stem), case.size)
    (root / "ImageSets/Main").mkdir(parents=True)
    for split in SPLITS:
        stems = [f"{case.stem}\n" for case in cases() if case.split == split]
        (root / f"ImageSets/Main/{split}.txt").write_text("".join(stems), encoding="utf-8")


def to_coco(root: Path) -> None:
    """Left, top, width and height in pixels from 0 (COCO, data format)."""
    for split in SPLITS:
        own = [case for case in cases() if case.split == split]
        boxes = [(int(case.stem), i, edges) for case in own for i, edges in case.boxes]
        record = {
            "images": [
                {"id": int(case.stem), "file_name": f"{case.stem}.png", "width": case.size[0], "height": case.size[1]}
                for case in own
            ],
            "annotations": [
                {"id": n, "image_id": image, "category_id": i, "bbox": [x, y, right - x, bottom - y], "iscrowd": 0}
                for n, (image, i, (x, y, right, bottom)) in enumerate(boxes)
            ],
            "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
        }
        write_json(root / f"annotations/instances_{split}.json", record)
        for case in own:
            picture(root / f"images/{case.stem}.png", int(case.stem), case.size)


def to_labelme(root: Path) -> None:
    """Two opposite corners in pixels from 0 (labelme, label_file.py)."""
    for case in cases():
        shapes = [
            {"label": NAMES[i], "points": [[right, top], [left, bottom]], "shape_type": "rectangle"}
            for i, (left, top, right, bottom) in case.boxes
        ]
        record = {"shapes": shapes, "imagePath": f"{case.stem}.png", "imageWidth": case.size[0]}
        write_json(root / f"{case.split}/{case.stem}.json", {**record, "imageHeight": case.size[1]})
        picture(root / f"{case.split}/{case.stem}.png", int(case.stem), case.size)


def to_darknet(root: Path) -> None:
    """Class, centre and size as shares of the image's sides, and obj.data with its lists (Darknet, data.c)."""
    for case in cases():
        width, height = case.size
        lines = [
            f"{i} {(x + right) / 2 / width} {(y + bottom) / 2 / height} {(right - x) / width} {(bottom - y) / height}\n"
            for i, (x, y, right, bottom) in case.boxes
        ]
        picture(root / f"data/obj/{case.stem}.png", int(case.stem), case.size)
        (root / f"data/obj/{case.stem}.txt").write_text("".join(lines), encoding="utf-8")
    for split in SPLITS:
        paths = [f"data/obj/{case.stem}.png\n" for case in cases() if case.split == split]
        (root / f"data/{split}.txt").write_text("".join(paths), encoding="utf-8")
    lists = "train = data/train.txt\nvalid = data/val.txt\ntest = data/test.txt\n"
    settings = f"classes = 2\n{lists}names = data/obj.names\nbackup = backup/\n"
    (root / "data/obj.data").write_text(settings, encoding="utf-8")
    (root / "data/obj.names").write_text("\n".join(NAMES), encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "write", "record", "zero_size"),
    [
        ("voc", to_voc, "object 5", ["Annotations/004.xml", "Annotations/007.xml"]),
        ("coco", to_coco, "annotation 8", ["annotations/instances_test.json", "annotations/instances_val.json"]),
        ("labelme", to_labelme, "shape 5", ["test/007.json", "val/004.json"]),
        ("bare", to_darknet, "line 5", ["data/obj/004.txt", "data/obj/007.txt"]),
    ],
)
def test_boxes_come_back_to_a_hundredth_of_a_pixel_and_those_without_size_are_listed(
    tmp_path: Path, kind: SourceFormat, write: Callable[[Path], None], record: str, zero_size: list[str]
) -> None:
    write(tmp_path / "source")
    imported = import_dataset(kind, tmp_path / "source", tmp_path / "target", Options())
    assert imported.how == "the source's own split"
    found = labels(tmp_path / "target")
    for case in cases():
        assert (tmp_path / f"target/{case.split}/images/{case.stem}.png").is_file()
        width, height = case.size
        rows = np.array([line.split() for line in found[case.stem]], dtype=float)
        (x, y, w, h), ids = (rows[:, 1:] * (width, height, width, height)).T, rows[:, 0]
        expected = [(i, edges) for i, edges in case.boxes if edges[0] < edges[2] and edges[1] < edges[3]]
        assert ids.tolist() == [i for i, _ in expected]
        edges = np.array([edges for _, edges in expected])
        np.testing.assert_allclose(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1), edges, atol=0.01)
    left_out = [note for note in notes(tmp_path / "target") if note[2] == "left out"]
    assert [(file, where) for file, where, _, _ in left_out] == [(file, record) for file in zero_size]
