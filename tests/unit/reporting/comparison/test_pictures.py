from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.results import CORNERS, Statistics
from mobileyolo.reporting.comparison.inputs import ReportInputs
from mobileyolo.reporting.comparison.pictures import EXAMPLES_AN_ARM, HeldOutImages
from tests.synthetic_boxes import SIZE, statistics_of
from tests.synthetic_comparison import make_inputs

LABELS = 10  # on every image
# Labels that baseline and candidate find on each image.
FOUND = {
    "g.jpg": (2, 8),  # the largest lead
    "f.jpg": (4, 6),
    "e.jpg": (4, 6),  # as f, and its name is first
    "d.jpg": (9, 1),  # the only loss
    "c.jpg": (5, 5),
    "b.jpg": (5, 5),  # as c, and its name is first
    "a.jpg": (10, 10),  # equal, but far from the medians
}


def box(number: int) -> tuple[int, int, int, int]:
    """One of many boxes that lie apart, xyxy in pixels."""
    left, top = 10 + 60 * (number % LABELS), 10 + 60 * (number // LABELS)
    return left, top, left + 40, top + 20


def boxes(rows: list[tuple[int, int, float, tuple[int, int, int, int]]]) -> pd.DataFrame:
    """A table of image, class_id, confidence and corners."""
    return pd.DataFrame(
        [(image, class_id, confidence, *corners) for image, class_id, confidence, corners in rows],
        columns=["image", "class_id", "confidence", *CORNERS],
    )


def with_statistics(folder: Path, statistics: dict[Arm, Statistics]) -> ReportInputs:
    """Inputs of one seed: yolo11n is deployed with a confidence of 0.4, mnv1_n with 0.7."""
    inputs = make_inputs(folder)
    results = {arm: [dataclasses.replace(inputs.results[arm][0], statistics=statistics[arm])] for arm in ARMS}
    return dataclasses.replace(inputs, results=results)


@pytest.fixture
def found(tmp_path: Path) -> ReportInputs:
    """Both models find as many labels as FOUND says; the candidate finds the others below its confidence."""
    labels = boxes([(image, 0, 1.0, box(number)) for image in range(len(FOUND)) for number in range(LABELS)])
    statistics: dict[Arm, Statistics] = {}
    for place, arm in enumerate(ARMS):
        rows = []
        for image, counts in enumerate(FOUND.values()):
            rows += [(image, 0, 0.9 - number / 100, box(number)) for number in range(counts[place])]
            if arm == "candidate":
                rows += [(image, 0, 0.6, box(number)) for number in range(counts[place], LABELS)]
        made = statistics_of(boxes(rows), labels.drop(columns="confidence"), len(FOUND), 1)
        statistics[arm] = dataclasses.replace(made, images=made.images.assign(image=list(FOUND)))
    return with_statistics(tmp_path, statistics)


def test_pictures_are_chosen_by_difference_in_f1_ties_by_name(found: ReportInputs) -> None:
    gallery = HeldOutImages(found).gallery()
    assert [pair.image for pair in gallery.ahead] == ["g.jpg", "e.jpg"]
    assert [pair.image for pair in gallery.behind] == ["d.jpg"]
    assert [pair.image for pair in gallery.typical] == ["b.jpg", "c.jpg"]


def test_f1_is_that_at_the_confidence_to_deploy_with(found: ReportInputs) -> None:
    pair = HeldOutImages(found).gallery().ahead[0]
    assert pair.f1 == pytest.approx({"baseline": 2 * 2 / (2 + LABELS), "candidate": 2 * 8 / (8 + LABELS)})
    assert pair.boxes["baseline"].counts == {"label": 2, "right": 2, "missed": 8}
    assert pair.boxes["candidate"].counts == {"label": 8, "right": 8, "missed": 2}


def test_boxes_are_drawn_where_they_lie(found: ReportInputs) -> None:
    Image.new("RGB", (SIZE, SIZE)).save(found.data_dir / "g.jpg")
    pair = HeldOutImages(found).gallery().ahead[0]
    assert pair.picture.source.startswith("data:image/jpeg;base64,")
    # The two that the candidate did not find; a label has its exact place, a prediction is stored in steps.
    assert pair.boxes["candidate"].outlines["missed"] == "M490 10H530V30H490ZM550 10H590V30H550Z"
    letters = pair.boxes["candidate"].letters
    assert [(kind, letter) for kind, letter, _, _ in letters] == [("missed", "M")] * 2
    for (_, _, x, y), number in zip(letters, (8, 9), strict=True):
        left, top, *_ = box(number)
        assert left <= x <= left + SIZE / 20
        assert top <= y <= top + SIZE / 20


def test_a_picture_whose_file_is_gone_says_so(found: ReportInputs) -> None:
    pair = HeldOutImages(found).gallery().ahead[0]
    assert pair.image == "g.jpg"
    assert pair.picture.source == ""
    assert pair.picture.problem == "No such file or directory"


def test_the_worst_errors_of_a_kind_are_shown_first(tmp_path: Path) -> None:
    """Three missed labels of growing size, one label called by another name, and more background than is shown."""
    sizes = [10, 20, 30]
    labels = [(0, 0, 1.0, (x, 100, x + side, 100 + side)) for x, side in zip((10, 110, 210), sizes, strict=True)]
    labels.append((1, 2, 1.0, box(0)))
    predictions = [(1, 3, 0.95, box(0))]
    predictions += [(1, 0, 0.8 + number / 100, box(number)) for number in range(10, 10 + EXAMPLES_AN_ARM + 2)]
    statistics = statistics_of(boxes(predictions), boxes(labels).drop(columns="confidence"), 2, 4)
    images = HeldOutImages(with_statistics(tmp_path, dict.fromkeys(ARMS, statistics)))

    (mistaken,) = images.examples("class", "candidate")
    assert (mistaken.image, mistaken.predicted, mistaken.actual) == ("images/test/1.jpg", "class 3", "class 2")
    assert mistaken.confidence == pytest.approx(0.95)

    background = images.examples("background", "candidate")
    shown = [0.8 + number / 100 for number in range(9 + EXAMPLES_AN_ARM + 2, 11, -1)]
    assert [example.confidence for example in background] == pytest.approx(shown)
    assert {example.actual for example in background} == {""}

    folder = tmp_path / "images/test"
    folder.mkdir(parents=True)
    Image.new("RGB", (SIZE, SIZE)).save(folder / "0.jpg")
    missed = images.examples("missed", "candidate")
    assert [(example.predicted, example.actual) for example in missed] == [("", "class 0")] * 3
    assert [example.boxes.outlines["missed"] for example in missed] == [
        "M210 100H240V130H210Z",
        "M110 100H130V120H110Z",
        "M10 100H20V110H10Z",
    ]
    assert images.examples("duplicate", "candidate") == []
