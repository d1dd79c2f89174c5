from __future__ import annotations

import warnings
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mobileyolo.reporting.dataset.figures import (
    HEAT_CELLS,
    box_panels,
    boxes_an_image,
    class_shares,
    coverage,
    image_sizes,
)
from mobileyolo.reporting.shared.panels import Panel, to_svg


def make_boxes(count: int = 100, **columns: float | list[float]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    boxes = pd.DataFrame(rng.uniform(0.3, 0.6, (count, 4)), columns=list("xywh"))
    return boxes.assign(split=np.resize(["train", "val"], count), width=640, height=480, **columns)


def texts(panel: Panel) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {element.text or "" for element in ElementTree.fromstring(to_svg(panel)).iter("text")}


def test_a_class_is_named_as_it_is() -> None:
    names = ("红细胞", "<script>", "a$b$c", "x" * 40)
    panel = class_shares({"train": np.array([5, 0, 2, 9]), "val": np.zeros(4, np.int64)}, names)
    assert {"红细胞", "<script>", "a$b$c", "xxxxxxxxxxxxx…"} <= texts(panel)
    assert "fewest of <script> (0)" in panel.description


def test_many_classes_become_a_curve_without_names() -> None:
    panel = class_shares({"train": np.arange(500)}, [f"class {number}" for number in range(500)])
    assert "class, the most frequent first" in texts(panel)
    assert "class 7" not in texts(panel)
    assert len(to_svg(panel)) < 60_000


def test_sizes_are_parted_where_coco_parts_them() -> None:
    boxes = make_boxes(4, w=[0.04, 0.05, 0.1, 0.5], h=[0.04, 0.05, 0.1, 0.5])
    panel = box_panels(boxes.assign(height=640))[0]  # 25.6, 32, 64 and 320 pixels
    assert {"small 25%", "medium 50%", "large 25%"} <= texts(panel)


@pytest.mark.parametrize("count", [1, 2, 50_000])
def test_any_number_of_boxes_gives_small_figures(count: int) -> None:
    for panel in box_panels(make_boxes(count)):
        assert texts(panel)
        assert len(to_svg(panel)) < 60_000


@pytest.mark.parametrize("size", [1e-5, 1.0])
def test_boxes_of_one_extreme_size_are_drawn(size: float) -> None:
    for panel in box_panels(make_boxes(3, w=size, h=size, x=0.5, y=0.5)):
        assert texts(panel)


def test_the_heat_map_counts_the_boxes_over_each_cell() -> None:
    heat = coverage(np.array([[0.5, 0.5, 1, 1], [0.25, 0.75, 0.5, 0.5], [0, 0, 0.001, 0.001], [1.2, 1, 0.1, 0.1]]))
    half = HEAT_CELLS // 2
    assert heat.shape == (HEAT_CELLS, HEAT_CELLS)
    assert heat[-2, 1] == 2
    assert heat[half + 1, half - 1] == 2
    assert heat[half - 2, 1] == 1
    assert heat[0, 0] == 2
    assert heat[1, 1] == 1


def test_images_of_many_sizes_are_gathered() -> None:
    rng = np.random.default_rng(0)
    images = pd.DataFrame({"width": rng.integers(100, 4000, 20_000), "height": rng.integers(100, 3000, 20_000)})
    panel = image_sizes(images)
    assert len(to_svg(panel)) < 120_000
    assert panel.description == "Image sizes: 100 to 3999 pixels wide, 100 to 2999 high"


def test_a_few_crowded_images_do_not_stretch_the_axis() -> None:
    images = pd.DataFrame({"split": "train", "boxes": [0, 1, 2, 3] * 100 + [900]})
    panel = boxes_an_image(images)
    assert "boxes (the last step: or more)" in texts(panel)
    assert panel.description == "Boxes an image, median: train 2"
    assert "boxes" in texts(boxes_an_image(images.assign(boxes=0)))
