"""tidecv, the code of TIDE's authors, on our statistics."""

from __future__ import annotations

from tidecv import TIDE, Data
from tidecv.quantify import TIDERun

from mobileyolo.core.results import Statistics
from mobileyolo.verdict.records import ErrorKind

# TIDE's own short names, in which "Both" is everything that no other kind fits.
SHORT_NAMES: dict[str, ErrorKind] = {
    "Cls": "class",
    "Loc": "location",
    "Both": "both",
    "Dupe": "duplicate",
    "Bkg": "background",
    "Miss": "missed",
}


def by_tide(statistics: Statistics, confidence: float = 0.0) -> TIDERun:
    """The same boxes, given to tidecv."""
    labels, predictions = Data("labels"), Data("predictions")
    boxes = statistics.predicted_boxes()
    for data, table in ((labels, statistics.targets), (predictions, boxes[boxes["confidence"] >= confidence])):
        for number in range(len(statistics.images)):
            data.add_image(number, str(number))
        for row in table.to_dict("records"):
            xywh = [row["x1"], row["y1"], row["x2"] - row["x1"], row["y2"] - row["y1"]]
            if data is labels:
                data.add_ground_truth(row["image"], row["class_id"], xywh)
            else:
                data.add_detection(row["image"], row["class_id"], row["confidence"], xywh)
    return TIDE().evaluate(labels, predictions, mode=TIDE.BOX)
