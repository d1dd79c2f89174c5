from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from mobileyolo.core.results import CORNERS
from mobileyolo.verdict.error_types import OUTCOMES, ClassifiedBoxes, classify
from mobileyolo.verdict.records import ERROR_KINDS
from tests.synthetic_boxes import make_boxes, statistics_of
from tests.tide import SHORT_NAMES, by_tide

SCENES = {
    "four classes": {},
    "one class": {"classes": 1},
    "many classes": {"classes": 12, "images": 60},
    "crowded, more boxes than are kept": {"labels_per_image": 40, "false_per_image": 60, "images": 10},
    "hardly a label": {"labels_per_image": 0.5},
    "few predictions": {"false_per_image": 0.1},
}


@pytest.mark.parametrize("settings", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("confidence", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(5))
def test_every_box_is_of_the_kind_that_tidecv_gives_it(settings: dict[str, int], confidence: float, seed: int) -> None:
    statistics = make_boxes(seed, **settings)
    boxes, run = classify(statistics, confidence), by_tide(statistics, confidence)
    expected = np.full(len(boxes.predictions), "true positive", dtype=object)
    missed = []
    for error in run.errors:
        if error.short_name == "Miss":
            missed.append(error.gt["_id"])
        else:
            expected[error.pred["_id"]] = SHORT_NAMES[error.short_name]
    assert boxes.predictions["outcome"].tolist() == expected.tolist()
    assert np.flatnonzero(boxes.labels["outcome"] == "missed").tolist() == sorted(missed)
    assert boxes.counts() == {SHORT_NAMES[kind.short_name]: n for kind, n in run.count_errors().items()}


@pytest.mark.parametrize("seed", range(5))
def test_true_positives_and_mistakes_name_the_label_that_tidecv_names(seed: int) -> None:
    statistics = make_boxes(seed)
    boxes, run = classify(statistics), by_tide(statistics)
    named = {error.pred["_id"]: error.gt["_id"] for error in run.errors if error.short_name in ("Cls", "Loc")}
    named |= {p["_id"]: p["info"]["matched_with"] for p in run.preds.annotations if p["used"]}
    table = boxes.predictions[boxes.predictions["outcome"].isin(("true positive", "class", "location"))]
    assert table["label"].to_dict() == named
    would_find = {e.pred["_id"] for e in run.errors if e.short_name in ("Cls", "Loc") and e.fixed[1] is not None}
    assert set(boxes.predictions.index[boxes.predictions["would_find"]]) == would_find


def test_the_made_up_boxes_have_errors_of_every_kind() -> None:
    boxes = classify(make_boxes(0))
    assert set(boxes.predictions["outcome"]) == set(OUTCOMES)
    assert min(boxes.counts().values()) > 5


def one_image(labels: Sequence[tuple[int, int]], predictions: Sequence[tuple[int, int]]) -> ClassifiedBoxes:
    """Boxes of 100 x 100 pixels, each (class, x), predictions in order of falling confidence."""

    def table(boxes: Sequence[tuple[int, int]]) -> pd.DataFrame:
        rows = [(0, class_id, x, 0, x + 100, 100) for class_id, x in boxes]
        return pd.DataFrame(rows, columns=["image", "class_id", *CORNERS])

    predicted = table(predictions).assign(confidence=np.linspace(0.9, 0.1, len(predictions)))
    return classify(statistics_of(predicted, table(labels), images=1, classes=3))


@pytest.mark.parametrize(
    ("prediction", "outcome"),
    [
        ((0, 20), "true positive"),  # IoU 80 / 120
        ((0, 50), "location"),  # IoU 50 / 150
        ((1, 20), "class"),
        ((1, 50), "both"),
        ((0, 90), "background"),  # IoU 10 / 190
        ((1, 90), "background"),
    ],
)
def test_one_box_near_one_label(prediction: tuple[int, int], outcome: str) -> None:
    boxes = one_image([(0, 0)], [prediction])
    assert boxes.predictions["outcome"].item() == outcome
    label = {"true positive": "found", "location": "mistaken", "class": "mistaken"}.get(outcome, "missed")
    assert boxes.labels["outcome"].item() == label


def test_the_more_confident_of_two_boxes_finds_the_label_and_the_nearer_one_is_a_duplicate() -> None:
    boxes = one_image([(0, 0)], [(0, 20), (0, 0)])
    assert boxes.predictions["outcome"].tolist() == ["true positive", "duplicate"]
    assert boxes.predictions["label"].tolist() == [0, 0]


def test_only_the_most_confident_mistake_would_find_the_label() -> None:
    boxes = one_image([(0, 0)], [(1, 0), (0, 50), (2, 0)])
    assert boxes.predictions["outcome"].tolist() == ["class", "location", "class"]
    assert boxes.predictions["would_find"].tolist() == [True, False, False]


def test_a_mistake_at_a_found_label_leaves_it_found() -> None:
    boxes = one_image([(0, 0)], [(1, 0), (0, 0)])
    assert boxes.predictions["outcome"].tolist() == ["class", "true positive"]
    assert not boxes.predictions["would_find"].any()
    assert boxes.labels["outcome"].tolist() == ["found"]


def test_without_predictions_all_labels_are_missed() -> None:
    boxes = classify(make_boxes(0), confidence=2)
    assert boxes.predictions.empty
    assert boxes.counts() == dict.fromkeys(ERROR_KINDS, 0) | {"missed": len(boxes.labels)}


def test_the_kind_of_a_box_does_not_depend_on_less_confident_ones() -> None:
    statistics = make_boxes(1)
    everything, confident = classify(statistics).predictions, classify(statistics, 0.5).predictions
    expected = everything[everything["confidence"] >= 0.5]["outcome"].tolist()
    assert confident["outcome"].tolist() == expected
