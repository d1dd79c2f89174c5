from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mobileyolo.deployment.parity import BOX_BOUND_PX, CONFIDENCE_BOUND, Array, ImageOutput, iou, match, measure_parity

NONE: Array = np.zeros((0, 6), np.float32)


def boxes(*rows: Sequence[float]) -> Array:
    """Rows of x1, y1, x2, y2, confidence, class."""
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def seen(found: Array = NONE, possible: Array | None = None, output: Array | None = None) -> ImageOutput:
    output = np.zeros((6, 3), np.float32) if output is None else output  # two classes, three anchors
    return ImageOutput(output, found, found if possible is None else possible)


def test_overlap_is_common_area_over_joint_area() -> None:
    first = boxes((0, 0, 10, 10, 0.9, 0))
    second = boxes((0, 0, 10, 10, 0.9, 0), (5, 0, 15, 10, 0.9, 0), (20, 20, 30, 30, 0.9, 0), (3, 3, 3, 3, 0.9, 0))
    np.testing.assert_allclose(iou(first, second), [[1, 1 / 3, 0, 0]])


def test_boxes_pair_by_class_and_overlap_the_closest_first_and_each_once() -> None:
    first = boxes((0, 0, 10, 10, 0.9, 0), (1, 0, 11, 10, 0.8, 0), (50, 50, 60, 60, 0.7, 1))
    second = boxes((1, 0, 11, 10, 0.8, 0), (50, 50, 60, 60, 0.7, 0), (0, 0, 10, 10, 0.9, 0))
    assert sorted(map(tuple, match(first, second).tolist())) == [(0, 2), (1, 0)]  # the third differs in class


@pytest.mark.parametrize(("first", "second"), [(NONE, NONE), (boxes((0, 0, 1, 1, 0.9, 0)), NONE)])
def test_nothing_pairs_with_nothing(first: Array, second: Array) -> None:
    assert match(first, second).shape == (0, 2)


def test_equal_models_differ_in_nothing_and_pass() -> None:
    found = boxes((0, 0, 10, 10, 0.9, 0), (2, 0, 12, 10, 0.8, 0))
    parity = measure_parity([seen(found), seen()], [seen(found), seen()])
    assert (parity.output_box_px, parity.output_confidence, parity.box_px, parity.confidence) == (0, 0, 0, 0)
    assert (parity.boxes, parity.unmatched) == (2, 0)
    assert list(parity.failures()) == []


def test_differences_are_the_largest_over_all_images() -> None:
    moved = np.zeros((6, 3), np.float32)
    moved[2, 1], moved[5, 2] = 0.05, -0.0005
    first, second = boxes((0, 0, 10, 10, 0.9, 0)), boxes((0, 0, 10, 10.25, 0.875, 0))
    parity = measure_parity([seen(first), seen()], [seen(second), seen(output=moved)])
    assert (parity.output_box_px, parity.output_confidence) == pytest.approx((0.05, 0.0005))
    assert (parity.box_px, parity.confidence) == pytest.approx((0.25, 0.025))
    assert list(parity.failures()) == []


@pytest.mark.parametrize(
    ("row", "difference", "said"),
    [
        (0, 2 * BOX_BOUND_PX, "the network's boxes differ by up to 0.2 px, the bound is 0.1 px"),
        (3, np.nan, "the network's boxes differ by up to nan px"),
        (4, 2 * CONFIDENCE_BOUND, "the network's confidences differ by up to 0.002, the bound is 0.001"),
        (5, np.inf, "the network's confidences differ by up to inf"),
    ],
)
def test_an_output_beyond_its_bound_fails_with_the_difference_and_the_bound(
    row: int, difference: float, said: str
) -> None:
    output = np.zeros((6, 3), np.float32)
    output[row, 1] = difference
    (failure,) = measure_parity([seen()], [seen(output=output)]).failures()
    assert failure.startswith(said)


@pytest.mark.parametrize("missing", ["original", "exported"])
def test_a_box_that_only_one_of_them_finds_fails(missing: str) -> None:
    both, one = boxes((0, 0, 10, 10, 0.9, 0), (30, 0, 40, 10, 0.9, 0)), boxes((0, 0, 10, 10, 0.9, 0))
    original, exported = (one, both) if missing == "original" else (both, one)
    parity = measure_parity([seen(original)], [seen(exported)])
    assert parity.unmatched == 1
    (failure,) = parity.failures()
    assert failure.startswith("1 boxes after suppression")


def test_a_box_at_the_confidence_threshold_may_be_found_by_one_of_them_only() -> None:
    sure, faint = (0, 0, 10, 10, 0.9, 0), (30, 0, 40, 10, 0.2499, 0)
    original = seen(boxes(sure, (30, 0, 40, 10, 0.2501, 0)))
    exported = seen(boxes(sure), possible=boxes(sure, faint))
    assert measure_parity([original], [exported]).unmatched == 0
    assert measure_parity([exported], [original]).unmatched == 0


def test_of_two_boxes_that_overlap_as_much_as_allowed_one_of_them_may_keep_both() -> None:
    first, second = (0, 0, 10, 10, 0.9, 0), (1.76, 0, 11.76, 10, 0.8, 0)  # IoU 0.7007
    assert measure_parity([seen(boxes(first))], [seen(boxes(first, second))]).unmatched == 0


def test_of_two_equally_good_classes_each_of_them_may_choose_another() -> None:
    first, second = (0, 0, 10, 10, 0.5, 0), (0, 0, 10, 10, 0.5, 1)
    original = seen(boxes(first), possible=boxes(first, second))
    exported = seen(boxes(second), possible=boxes(first, second))
    assert measure_parity([original], [exported]).unmatched == 0


def test_of_two_equally_good_boxes_each_of_them_may_keep_another() -> None:
    original, exported = seen(boxes((0, 0, 10, 10, 0.9, 0))), seen(boxes((1, 0, 11, 10, 0.9, 0)))
    parity = measure_parity([original], [exported])
    assert (parity.unmatched, parity.box_px) == (0, 1)
    assert list(parity.failures()) == []
