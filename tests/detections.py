"""Made-up predictions on made-up images, matched by Ultralytics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from ultralytics.utils.metrics import ConfusionMatrix

from mobileyolo.evaluation.evaluator import RecordingValidator
from mobileyolo.evaluation.image_results import ResultTables

NAMES = ("red", "white", "platelet")
WIDTH, HEIGHT = 640, 480  # pixels
ROOT = Path("/dataset")


def detected(
    folder: Path, *, images: int = 40, side: float = 60, spread: float = 0.8, false: int = 20, digits: int = 9
) -> RecordingValidator:
    """A validator that has matched predictions to labels on every image.

    Args:
        folder: where it would write.
        images: number of images; every fourth has no label.
        side: median side of a labelled box in pixels.
        spread: standard deviation of its logarithm.
        false: mean number of predictions that are moved far off a label, or of another class.
        digits: of the confidences; with few of them, many predictions are equally confident.
    """
    random = np.random.default_rng(0)
    validator = RecordingValidator({"task": "detect", "plots": False}, folder)
    names = dict(enumerate(NAMES))
    validator.metrics.names, validator.confusion = names, ConfusionMatrix(names=names)
    for number in range(images):
        count = 0 if number % 4 == 3 else int(random.integers(1, 9))
        sides = np.clip(side * random.lognormal(0, spread, (count, 2)), 4, (WIDTH - 1, HEIGHT - 1))
        left_top = random.uniform(0, (WIDTH, HEIGHT) - sides)
        labels, classes = np.hstack((left_top, left_top + sides)), random.integers(0, len(NAMES), count)
        copies = random.integers(0, 3, count)  # some are missed, some are found twice
        found = np.repeat(labels, copies, axis=0)
        found = found + 0.08 * np.tile(np.repeat(sides, copies, axis=0), 2) * random.normal(size=found.shape)
        wrong = random.uniform(0, (WIDTH - 80, HEIGHT - 80), (random.poisson(false), 2))
        boxes = np.vstack((found, np.hstack((wrong, wrong + random.uniform(10, 80, wrong.shape)))))
        boxes = np.clip(boxes, 0, (WIDTH, HEIGHT, WIDTH, HEIGHT))
        predicted = np.append(np.repeat(classes, copies), random.integers(0, len(NAMES), len(wrong)))
        confidence = np.append(random.beta(4, 2, len(found)), random.beta(1, 4, len(wrong))).round(digits)
        order = np.argsort(-confidence, kind="stable")
        predictions = {
            "bboxes": torch.tensor(boxes[order], dtype=torch.float32),
            "conf": torch.tensor(confidence[order], dtype=torch.float32),
            "cls": torch.tensor(predicted[order], dtype=torch.float32),
        }
        truth = {
            "bboxes": torch.tensor(labels, dtype=torch.float32).reshape(-1, 4),
            "cls": torch.tensor(classes, dtype=torch.float32),
            "im_file": str(ROOT / f"{number:03}.png"),
            "imgsz": (HEIGHT, WIDTH),
            "ori_shape": (HEIGHT, WIDTH),
            "ratio_pad": ((1.0, 1.0), (0.0, 0.0)),
        }
        validator.metrics.update_stats(
            {
                **validator._process_batch(predictions, truth),
                "conf": predictions["conf"].numpy(),
                "pred_cls": predictions["cls"].numpy(),
                "target_cls": truth["cls"].numpy(),
                "target_img": np.unique(classes),
                "im_name": f"{number:03}.png",
            }
        )
    validator.metrics.process()
    return validator


def tables_of(validator: RecordingValidator) -> ResultTables:
    """All that it found."""
    return ResultTables.of(validator.results, ROOT)
