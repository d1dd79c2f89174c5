from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.text import printable
from mobileyolo.importing.checking import check_images
from mobileyolo.importing.conversion import READERS, describe_notes
from mobileyolo.importing.filenames import Files
from mobileyolo.importing.formats import SourceFormat
from mobileyolo.importing.sources import ForeignDataset, Options
from tests.foreign import picture

# Every number and text that has had a special meaning to some reader.
NUMBERS = st.sampled_from([0, 1, 5, -1, 40, 41, 0.5, -0.0, 1e308, -1e308, 1e400, float("nan"), 2**70, 10**400])
TEXTS = st.sampled_from(["", " ", "cat", "0.png", "../0.png", "a\\0.png", "1", "nan", "inf", "1e999", "1_0", "٣", "\0"])
TEXTS |= st.text(max_size=5)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one image."""
    root = tmp_path_factory.mktemp("source")
    picture(root / "0.png", 0)
    return root


def read(kind: SourceFormat, root: Path, options: Options) -> ForeignDataset | None:
    """What is read, of which every box is sound or noted; None after one clear error."""
    try:
        found = READERS[kind](root, options)
    except DatasetError as error:
        assert str(error).startswith(str(root))  # noqa: PT017  # there need not be one
        return None
    checked, notes = check_images(root, found)
    for image in checked:
        for class_id, line in zip(image.classes, image.lines, strict=True):
            x, y, w, h = map(float, line.split()[1:])
            assert int(line.split()[0]) == class_id < len(found.names)
            assert min(w, h) > 0
            assert 0 <= x - w / 2 + 2e-6 <= x + w / 2 <= 1 + 2e-6
            assert 0 <= y - h / 2 + 2e-6 <= y + h / 2 <= 1 + 2e-6
    assert [line for line in describe_notes([*found.notes, *notes]) if line != printable(line)] == []
    return found


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping as it should be; or with one field missing or of any other kind; or something else in its place."""
    whole = st.fixed_dictionaries(fields)
    name = st.sampled_from(sorted(fields))
    changed = st.builds(lambda right, field, other: {**right, field: other}, whole, name, ANY)
    missing = st.builds(lambda right, field: {key: right[key] for key in right if key != field}, whole, name)
    return whole | whole | whole | changed | missing | ANY  # most often as it should be


KEYS = st.sampled_from([0, "a"])
SOUND_BOX = st.tuples(*[st.integers(0, 10)] * 2, *[st.integers(1, 20)] * 2).map(list)
COCO = record(
    images=st.lists(record(id=KEYS, file_name=st.just("0.png"), width=st.just(40), height=st.just(30)), max_size=3),
    categories=st.lists(record(id=KEYS, name=st.sampled_from(["cat", "dog"])), max_size=3),
    annotations=st.lists(
        record(
            id=KEYS,
            image_id=KEYS,
            category_id=KEYS,
            bbox=SOUND_BOX | st.lists(st.floats(-50, 50) | NUMBERS, min_size=4, max_size=4),
            iscrowd=st.sampled_from([0, 0, 1]),
        ),
        max_size=4,
    ),
)


@given(COCO)
@settings(max_examples=200)
def test_any_json_gives_boxes_and_notes_or_one_error(source: Path, content: object) -> None:
    file = source / "boxes.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    read("coco", source, Options())
    file.unlink()


LABELME = record(
    shapes=st.lists(
        record(
            label=st.sampled_from(["cat", "dog"]),
            points=st.lists(st.lists(st.floats(-50, 50) | NUMBERS, min_size=2, max_size=2), min_size=2, max_size=4),
            shape_type=st.sampled_from(["rectangle", "rectangle", "polygon"]),
        ),
        max_size=4,
    ),
    imagePath=st.sampled_from(["0.png", "..\\0.png", "1.png", ""]),
    imageWidth=st.just(40),
    imageHeight=st.just(30),
)


@given(LABELME)
@settings(max_examples=200)
def test_any_json_for_an_image_gives_boxes_and_notes_or_one_error(source: Path, content: object) -> None:
    file = source / "0.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    found = read("labelme", source, Options())
    assert found is None or [image.file for image in found.images] == ["0.png"]
    file.unlink()


@given(st.binary(max_size=60) | st.text('[]{}":,0e-', max_size=60).map(str.encode))
def test_any_bytes_called_json_are_one_error(source: Path, content: bytes) -> None:
    file = source / "boxes.json"
    file.write_bytes(content)
    assert read("coco", source, Options()) is None
    assert read("labelme", source, Options()) is None
    file.unlink()


PARTS = st.sampled_from(["a.png", "A.PNG", "a", "..", ".", "", "b", "C:", "http:", "?d=", "%2e%2e", "#", "\0"])
PARTS |= st.text(max_size=3)


@given(st.lists(st.tuples(PARTS, st.sampled_from(["/", "\\"]))).map(lambda parts: "".join(map("".join, parts))))
def test_any_path_finds_only_files_of_the_source(name: str) -> None:
    files = {"a.png", "b/a.png", "b/a.jpg", "c.png"}
    found = Files(Path("source"), files).meant(name, "b")
    assert files.issuperset(found.files)
    assert not (found.exact and not found.files)


TAGS = st.sampled_from(["annotation", "object", "name", "bndbox", "xmin", "ymin", "xmax", "ymax", "size", "difficult"])
WORDS = SCALARS.map(str).filter(lambda text: text.isprintable())


def element(tag: str, content: str) -> str:
    return f"<{tag}>{content}</{tag}>"


TREE = st.recursive(
    WORDS.map(escape),
    lambda inner: st.lists(st.builds(element, TAGS, inner), max_size=5).map("".join),
    max_leaves=12,
)
EDGES = st.lists(NUMBERS | st.integers(-5, 50), min_size=4, max_size=4)


def voc_object(name: str, edges: list[float], more: str) -> str:
    named = zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    box = "".join(element(tag, str(edge)) for tag, edge in named)
    return element("object", element("name", escape(name)) + element("bndbox", box) + more)


OBJECTS = st.lists(st.builds(voc_object, WORDS, EDGES, TREE) | TREE, max_size=4).map("".join)
VOC = OBJECTS.map(lambda objects: element("annotation", objects)) | TREE
FLAGS = st.booleans()


@given(VOC.map(str.encode) | st.binary(max_size=60), FLAGS, FLAGS)
@settings(max_examples=200)
def test_any_xml_gives_boxes_and_notes(source: Path, content: bytes, from_zero: bool, difficult: bool) -> None:
    file = source / "0.xml"
    file.write_bytes(content)
    found = read("voc", source, Options(from_zero=from_zero, difficult=difficult))
    assert found is not None
    assert [image.file for image in found.images] == ["0.png"] or found.notes
    file.unlink()


LINES = st.lists(st.sampled_from(["0", "1", "cat", ".5", "-1", "nan", "\n", " ", "0 .5 .5 .2 .2\n"]), max_size=30)


@given(LINES.map(" ".join).map(str.encode) | st.binary(max_size=60), st.binary(max_size=20) | st.just(b"cat\ndog\n"))
@settings(max_examples=200)
def test_any_bytes_as_labels_and_names_give_boxes_and_notes_or_one_error(
    source: Path, labels: bytes, names: bytes
) -> None:
    files = {source / "0.txt": labels, source / "classes.txt": names}
    for file, content in files.items():
        file.write_bytes(content)
    read("bare", source, Options())
    for file in files:
        file.unlink()
