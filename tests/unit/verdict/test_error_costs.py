from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tidecv.ap import ClassedAPDataObject

from mobileyolo.core.results import CORNERS, Statistics
from mobileyolo.verdict.error_costs import ErrorCosts, correct
from mobileyolo.verdict.error_types import TRUE_POSITIVE, ClassifiedBoxes, classify
from mobileyolo.verdict.records import ERROR_KINDS
from tests.synthetic_boxes import make_boxes, statistics_of
from tests.tide import SHORT_NAMES, by_tide


def costs_by_tide(statistics: Statistics) -> list[float]:
    """In the order of ERROR_KINDS, 0 to 1."""
    costs = {SHORT_NAMES[kind.short_name]: cost / 100 for kind, cost in by_tide(statistics).fix_main_errors().items()}
    return [costs[kind] for kind in ERROR_KINDS]


def ap50_by_tide(boxes: ClassifiedBoxes) -> float:
    """AP50 of our true positives, computed by tidecv."""
    ap = ClassedAPDataObject()
    for number, row in enumerate(boxes.predictions.itertuples()):
        ap.push(row.class_id, number, row.confidence, row.outcome == TRUE_POSITIVE)
    for class_id in boxes.labels["class_id"]:
        ap.add_gt_positives(class_id, 1)
    return float(ap.get_mAP()) / 100


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("classes", [1, 4, 12])
def test_corrected_boxes_are_those_of_tidecv(seed: int, classes: int) -> None:
    statistics = make_boxes(seed, classes=classes)
    boxes = classify(statistics)
    costs = [ap50_by_tide(correct(boxes, kind)) - ap50_by_tide(boxes) for kind in ERROR_KINDS]
    assert costs == pytest.approx(costs_by_tide(statistics), abs=1e-12)

@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("classes", [1, 4, 12])
def test_tol(seed,classes):
    statistics = make_boxes(seed, classes=classes)
    c=ErrorCosts(statistics)(np.ones(30)); t=costs_by_tide(statistics)
    print(classes, np.round(c,4), np.abs(c-t).max().round(5))
