"""COCO's JSON, and COCO's average precision of it. The only importer of faster-coco-eval (1.8).

Ids begin at 1, as COCO's do: an image's is its row number + 1, a category's is its class id + 1. Boxes are left, top,
width and height in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from faster_coco_eval import COCO, COCOeval_faster

from mobileyolo.core.records import CocoAP
from mobileyolo.core.results import CORNERS


def coco_annotations(images: pd.DataFrame, targets: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Labelled images as COCO's annotations.

    Args:
        images: image, width, height (pixels).
        targets: image (row number in images), class_id, x1, y1, x2, y2 (pixels).
        names: class names by id.
    """
    boxes = _xywh(targets)
    return {
        "images": [
            {"id": number, "file_name": name, "width": width, "height": height}
            for number, (name, width, height) in enumerate(
                zip(images["image"].tolist(), images["width"].tolist(), images["height"].tolist(), strict=True), start=1
            )
        ],
        "annotations": [
            {
                "id": number,
                "image_id": image + 1,
                "category_id": class_id + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for number, (image, class_id, box) in enumerate(
                zip(targets["image"].tolist(), targets["class_id"].tolist(), boxes, strict=True), start=1
            )
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }


def coco_results(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Predictions as COCO's results.

    Args:
        predictions: image (row number), class_id, confidence, x1, y1, x2, y2 (pixels).
    """
    columns = (predictions[name].tolist() for name in ("image", "class_id", "confidence"))
    return [
        {"image_id": image + 1, "category_id": class_id + 1, "bbox": box, "score": confidence}
        for image, class_id, confidence, box in zip(*columns, _xywh(predictions), strict=True)
    ]


def coco_ap(annotations: dict[str, Any], results: list[dict[str, Any]]) -> CocoAP:
    """COCO's average precision, with six decimals.

    Args:
        annotations: `coco_annotations` with at least one box.
        results: `coco_results`, at most 100 an image, as COCO's rules say; a tool would take 100 an image and class.
    """
    truth = COCO(annotations)
    # Only masks need a segmentation; without one, loadRes would add a list of lists to each box.
    found = truth.loadRes([{**result, "segmentation": []} for result in results])
    evaluation = COCOeval_faster(truth, found, iouType="bbox", print_function=lambda *_: None)
    evaluation.run()
    values = [None if value < 0 else round(float(value), 6) for value in evaluation.stats[: len(CocoAP.model_fields)]]
    return CocoAP.model_validate(dict(zip(CocoAP.model_fields, values, strict=True)))


def _xywh(table: pd.DataFrame) -> list[list[float]]:
    """The table's boxes as left, top, width, height."""
    corners = table[list(CORNERS)].to_numpy(np.float64)
    boxes: list[list[float]] = np.column_stack((corners[:, :2], corners[:, 2:] - corners[:, :2])).tolist()
    return boxes
