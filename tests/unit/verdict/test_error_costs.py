from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from tidecv.ap import ClassedAPDataObject

from mobileyolo.core.results import CORNERS, Statistics
from mobileyolo.verdict.error_costs import ErrorCosts, correct
from mobileyolo.verdict.error_types import TRUE_POSITIVE, ClassifiedBoxes, classify
from mobileyolo.verdict.records import ERROR_KINDS
from tests.synthetic_boxes import make_boxes, statistics_of
from tests.tide import SHORT_NAMES, by_tide

SCENES = [{"classes": 1}, {"classes": 4}, {"classes": 12}, {"labels_per_image": 40, "false_per_image": 60, "images": 9}]


def costs_by_tide(statistics: Statistics) -> list[float]:
    """By ERROR_KINDS, 0 to 1."""
    costs = {SHORT_NAMES[kind.short_name]: cost / 100 for kind, cost in by_tide(statistics).fix_main_errors().items()}
    return [costs[kind] for kind in ERROR_KINDS]


def ap50_by_tide(boxes: ClassifiedBoxes) -> float:
    """AP50 by tidecv's rule, of our true positives."""
    ap = ClassedAPDataObject()
    for number, row in enumerate(boxes.predictions.to_dict("records")):
        ap.push(row["class_id"], number, row["confidence"], row["outcome"] == TRUE_POSITIVE)
    for class_id in boxes.labels["class_id"]:
        ap.add_gt_positives(class_id, 1)
    return float(ap.get_mAP()) / 100


def ap50_by_ultralytics(boxes: ClassifiedBoxes, weights: npt.NDArray[np.int64]) -> float:
    """AP50 by Ultralytics' rule, of our true positives, each row copied as often as its image was drawn."""
    from ultralytics.utils.metrics import ap_per_class

    predictions = boxes.predictions.loc[boxes.predictions.index.repeat(weights[boxes.predictions["image"]])]
    ap = ap_per_class(
        (predictions["outcome"] == TRUE_POSITIVE).to_numpy()[:, None],
        predictions["confidence"].to_numpy(),
        predictions["class_id"].to_numpy(),
        np.repeat(boxes.labels["class_id"], weights[boxes.labels["image"]]),
    )[5]
    return float(ap[:, 0].mean())


@pytest.mark.parametrize("settings", SCENES)
@pytest.mark.parametrize("seed", range(8))
def test_corrected_boxes_gain_what_tidecv_says_by_its_own_rule_of_ap(settings: dict[str, int], seed: int) -> None:
    statistics = make_boxes(seed, **settings)
    boxes = classify(statistics)
    costs = [ap50_by_tide(correct(boxes, kind)) - ap50_by_tide(boxes) for kind in ERROR_KINDS]
    assert costs == pytest.approx(costs_by_tide(statistics), abs=1e-12)


@pytest.mark.parametrize("settings", SCENES)
def test_costs_on_a_resample_are_by_ultralytics_rule_of_ap_on_copied_rows(settings: dict[str, int]) -> None:
    statistics = make_boxes(3, **settings)
    boxes, costs = classify(statistics), ErrorCosts(statistics)
    random = np.random.default_rng(0)
    for _ in range(5):
        weights = np.bincount(random.integers(costs.images, size=costs.images), minlength=costs.images)
        before = ap50_by_ultralytics(boxes, weights)
        expected = [ap50_by_ultralytics(correct(boxes, kind), weights) - before for kind in ERROR_KINDS]
        np.testing.assert_allclose(costs(weights), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", SCENES)
@pytest.mark.parametrize("seed", range(8))
def test_costs_are_those_of_tidecv_up_to_the_rule_of_ap(settings: dict[str, int], seed: int) -> None:
    statistics = make_boxes(seed, **settings)
    assert statistics.targets["class_id"].nunique() == len(statistics.names)
    costs = ErrorCosts(statistics)
    # tidecv's AP is the mean of 101 precisions. Ultralytics' is the area by the trapezoidal rule, in which the first
    # and the last of them count half: up to 0.005 of AP. It joins the points by lines, not by steps: less than that.
    np.testing.assert_allclose(costs(np.ones(costs.images)), costs_by_tide(statistics), rtol=0, atol=0.01)


def boxes_of(labels: Sequence[tuple[int, int]], predictions: Sequence[tuple[int, int]]) -> Statistics:
    """One image; boxes of 100 x 100 pixels, each (class, x), predictions in order of falling confidence."""

    def table(boxes: Sequence[tuple[int, int]]) -> pd.DataFrame:
        rows = [(0, class_id, x, 0, x + 100, 100) for class_id, x in boxes]
        return pd.DataFrame(rows, columns=["image", "class_id", *CORNERS])

    predicted = table(predictions).assign(confidence=np.linspace(0.9, 0.1, len(predictions)))
    return statistics_of(predicted, table(labels), images=1, classes=2)


WHOLE = 0.995  # Ultralytics' AP of a class without any error: its precision at recall 1 is 0


@pytest.mark.parametrize(
    ("labels", "predictions", "kind", "cost"),
    [
        ([(0, 0)], [(0, 50)], "location", WHOLE),
        ([(0, 0), (1, 300)], [(1, 0), (1, 300)], "class", WHOLE / 2 + WHOLE / 4),  # class 0 found, class 1 clean
        ([(0, 0)], [(0, 300), (0, 0)], "background", WHOLE / 2),  # precision 1/2 before
        ([(0, 0), (1, 300)], [(1, 50), (1, 300), (0, 0)], "both", WHOLE / 4),
        ([(0, 0), (0, 300)], [(0, 0), (0, 10), (0, 300)], "duplicate", 1 / 6),  # precision 2/3 from recall 1/2 on
        ([(0, 0), (1, 300)], [(0, 0)], "missed", WHOLE / 2),  # class 1 has no label any more
    ],
)
def test_each_kind_alone(
    labels: list[tuple[int, int]], predictions: list[tuple[int, int]], kind: str, cost: float
) -> None:
    costs = dict(zip(ERROR_KINDS, ErrorCosts(boxes_of(labels, predictions))([1]), strict=True))
    assert costs.pop(kind) == pytest.approx(cost)
    assert list(costs.values()) == pytest.approx([0] * 5, abs=1e-12)


def test_nothing_to_find_costs_nothing() -> None:
    statistics = make_boxes(0)
    empty = replace(statistics, targets=statistics.targets[:0])
    assert ErrorCosts(empty)(np.ones(30)).tolist() == [0] * 6
    unlabelled = (np.bincount(statistics.targets["image"], minlength=30) == 0).astype(int)
    assert unlabelled.any()
    assert ErrorCosts(statistics)(unlabelled).tolist() == [0] * 6


def test_a_model_without_predictions_leaves_no_class_to_average() -> None:
    statistics = make_boxes(0)
    blind = replace(statistics, predictions=statistics.predictions[:0], boxes=statistics.boxes[:0])
    assert ErrorCosts(blind)(np.ones(30)).tolist() == [0] * 6
