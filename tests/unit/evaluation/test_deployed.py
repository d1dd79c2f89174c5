from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mobileyolo.evaluation.deployed import CONFIDENCES, confidence_to_deploy, deployed_metrics

CONFIDENCE = np.array([0.9, 0.2, 0.7, 0.5], dtype=np.float32)
FOUND = np.array([True, False, False, True])


def test_metrics_count_the_predictions_that_are_confident_enough() -> None:
    """By hand, of 4 labelled boxes; 0.5 itself is kept."""
    metrics = deployed_metrics([0.0, 0.5, 0.6, 0.95], CONFIDENCE, FOUND, labelled=4)
    expected = pd.DataFrame(
        {
            "confidence": [0.0, 0.5, 0.6, 0.95],
            "precision": [2 / 4, 2 / 3, 1 / 2, np.nan],
            "recall": [2 / 4, 2 / 4, 1 / 4, 0],
            "f1": [0.5, 4 / 7, 1 / 3, 0],
        }
    )
    pd.testing.assert_frame_equal(metrics, expected.round(6))


def test_the_curve_is_what_counting_at_each_confidence_gives() -> None:
    random = np.random.default_rng(0)
    confidence, found = random.random(500).astype(np.float32), random.random(500) < 0.4
    curve = deployed_metrics(CONFIDENCES, confidence, found, labelled=300)
    for row in curve.to_dict("records"):
        kept = confidence >= row["confidence"]
        if kept.any():
            assert row["precision"] == pytest.approx(found[kept].mean(), abs=1e-6)
        assert row["recall"] == pytest.approx(found[kept].sum() / 300, abs=1e-6)


def test_precision_is_missing_and_not_1_where_nothing_was_predicted() -> None:
    curve = deployed_metrics(CONFIDENCES, [], [], labelled=3)
    assert curve["precision"].isna().all()
    assert not curve[["recall", "f1"]].any(axis=None)


def test_without_a_label_recall_is_0() -> None:
    assert deployed_metrics([0.1], [0.5], [False], labelled=0).to_dict("records") == [
        {"confidence": 0.1, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    ]


def test_the_confidence_to_deploy_with_has_the_highest_f1_and_is_the_lowest_of_several() -> None:
    curve = deployed_metrics(CONFIDENCES, CONFIDENCE, FOUND, labelled=2)
    assert curve["f1"].max() == pytest.approx(0.8)  # both found, one wrong: above 0.2 and up to 0.5
    assert confidence_to_deploy(curve) == 0.21
