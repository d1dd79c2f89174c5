"""Tiny datasets in foreign formats, for tests of the import. Images are noise, with the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mobileyolo.core.records import Split

WIDTH, HEIGHT = 40, 30
# Two boxes an image as pixels' edges from 0, and the same in each format's own terms.
BOXES = {"cat": (4, 6, 20, 18), "dog": (24, 3, 36, 27)}
LINES = {"cat": "0 0.300000 0.400000 0.400000 0.400000", "dog": "1 0.750000 0.500000 0.300000 0.800000"}
IMAGES = 12


def picture(path: Path, number: int, size: tuple[int, int] = (WIDTH, HEIGHT), orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, exif=exif)


def voc_object(name: str = "cat", edges: Sequence[object] = (5, 7, 20, 18), extra: str = "") -> str:
    """An object; the default is the cat of BOXES, in pixels counted from 1, the last one included."""
    tags = "".join(f"<{tag}>{edge}</{tag}>" for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True))
    return f"<object><name>{name}</name>{extra}<bndbox>{tags}</bndbox></object>"


VOC_OBJECTS = voc_object() + voc_object("dog", (25, 4, 36, 27))


def voc_xml(path: Path, objects: str = VOC_OBJECTS, size: tuple[int, int] = (WIDTH, HEIGHT), named: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    path.write_text(f"<annotation><filename>{named}</filename>{sizes}\n{objects}</annotation>", encoding="utf-8")


def write_voc(root: Path, splits: dict[Split, int] | None = None, images: int = IMAGES) -> Path:
    """A folder like VOC's; with `splits`, as many images are listed in ImageSets/Main for each."""
    for number in range(images):
        picture(root / f"JPEGImages/{number:03d}.png", number)
        voc_xml(root / f"Annotations/{number:03d}.xml")
    first = 0
    for split, count in (splits or {}).items():
        lists = root / "ImageSets/Main"
        lists.mkdir(parents=True, exist_ok=True)
        lines = [f"{number:03d}\n" for number in range(first, first + count)]
        (lists / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
        first += count
    return root


def annotation(key: int, image: int, category: int, bbox: Sequence[float], **more: Any) -> dict[str, Any]:
    return {"id": key, "image_id": image, "category_id": category, "bbox": bbox, **more}


def coco_record(numbers: Sequence[int]) -> dict[str, Any]:
    """Content of a COCO file for the images with these numbers; its category ids have gaps."""
    boxes = [(3, [4, 6, 16, 12]), (17, [24, 3, 12, 24])]
    return {
        "images": [{"id": n, "file_name": f"{n:03d}.png", "width": WIDTH, "height": HEIGHT} for n in numbers],
        "annotations": [
            annotation(2 * n + k, n, category, bbox) for n in numbers for k, (category, bbox) in enumerate(boxes)
        ],
        "categories": [{"id": 17, "name": "dog"}, {"id": 3, "name": "cat"}],
    }


def write_json(path: Path, record: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def write_coco(root: Path, record: dict[str, Any] | None = None) -> Path:
    """One annotation file and a folder of images."""
    for number in range(IMAGES):
        picture(root / f"images/{number:03d}.png", number)
    write_json(root / "annotations/boxes.json", record or coco_record(range(IMAGES)))
    return root


def labelme_shape(label: str = "cat", points: object = ((4, 6), (20, 18)), kind: str = "rectangle") -> dict[str, Any]:
    """A shape as labelme 5 writes it; the default is the cat of BOXES."""
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}


def labelme_record(image: str, *extra: object) -> dict[str, Any]:
    """Content of labelme's file for an image: BOXES, the second drawn from its lower right corner, and more shapes."""
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [labelme_shape(), labelme_shape("dog", [[36, 27], [24, 3]]), *extra],
        "imagePath": image,
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }


def write_labelme(root: Path) -> Path:
    """Images with labelme's files beside them."""
    for number in range(IMAGES):
        picture(root / f"{number:03d}.png", number)
        write_json(root / f"{number:03d}.json", labelme_record(f"{number:03d}.png"))
    return root


def write_bare(root: Path) -> Path:
    """Images with their label files beside them, and classes.txt."""
    for number in range(IMAGES):
        picture(root / f"{number:03d}.png", number)
        (root / f"{number:03d}.txt").write_text("".join(f"{line}\n" for line in LINES.values()), encoding="utf-8")
    (root / "classes.txt").write_text("cat\ndog\n", encoding="utf-8")
    return root


def write_darknet(root: Path, splits: dict[Split, int]) -> Path:
    """Darknet's folder: images and labels in data/obj, and obj.data, which names lists of as many images of each split.

    As in many of them, `valid` is a test.txt if there is no split test.
    """
    names = {"train": "train.txt", "val": "valid.txt" if "test" in splits else "test.txt", "test": "test.txt"}
    settings = ["classes = 2"]
    first = 0
    for split, count in splits.items():
        for number in range(first, first + count):
            picture(root / f"data/obj/{number:03d}.png", number)
            text = "".join(f"{line}\n" for line in LINES.values())
            (root / f"data/obj/{number:03d}.txt").write_text(text, encoding="utf-8")
        paths = [f"data/obj/{number:03d}.png\n" for number in range(first, first + count)]
        (root / "data" / names[split]).write_text("".join(paths), encoding="utf-8")
        settings.append(f"{'valid' if split == 'val' else split} = data/{names[split]}")
        first += count
    (root / "data/obj.data").write_text(
        "\n".join([*settings, "names = data/obj.names", "backup = backup/"]), encoding="utf-8"
    )
    (root / "data/obj.names").write_text("cat\ndog\n", encoding="utf-8")
    return root


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of every file, and the times of the folders."""
    return {
        path.relative_to(root).as_posix(): (b"" if path.is_dir() else path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted([root, *root.rglob("*")])
    }


def labels(target: Path) -> dict[str, list[str]]:
    """Lines of every label file of an imported dataset, by stem."""
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in target.glob("*/labels/*.txt")}


def notes(target: Path) -> list[tuple[str, ...]]:
    """File, record, outcome and reason of everything that import.csv lists."""
    table = pd.read_csv(target / "import.csv", keep_default_na=False, dtype=str)
    return list(table[["file", "record", "outcome", "reason"]].itertuples(index=False, name=None))
