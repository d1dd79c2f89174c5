"""A trained model -> held-out metrics, and the per-image statistics from which they were computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.metrics import ConfusionMatrix

from mobileyolo.core import environment
from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS, DatasetCard, Manifest, MetricsRecord, Profile, Split
from mobileyolo.core.results import Statistics
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.loading import ManifestDataset, SplitLabels, build_dataset, dataset_dictionary
from mobileyolo.models import bridge

CONFUSION_CONFIDENCE = 0.25  # Ultralytics' threshold for a confusion matrix


@dataclass(frozen=True)
class ImageResult:
    """A model's result on one image: n predictions and m labelled boxes.

    Attributes:
        file: path of the image.
        true_positives: (n, 10), for each IoU threshold.
        confidences: (n,).
        predicted: (n,) class ids.
        labelled: (m,) class ids.
    """

    file: str
    true_positives: np.ndarray
    confidences: np.ndarray
    predicted: np.ndarray
    labelled: np.ndarray


class RecordingValidator(DetectionValidator):
    """Ultralytics' validator, which also keeps the result on every image.

    Attributes:
        results: one for each image, in the order of the batches.
        confusion: counts of predicted against actual classes.
    """

    def __init__(self, settings: dict[str, Any], save_dir: Path) -> None:
        super().__init__(args=settings, save_dir=save_dir)
        self.results: list[ImageResult] = []
        self.confusion = ConfusionMatrix(names={})

    def build_dataset(self, img_path: SplitLabels, mode: str = "val", batch: int | None = None) -> ManifestDataset:
        """A dataset from the manifest."""
        return build_dataset(
            img_path, self.args, self.data, batch=batch or self.args.batch, stride=self.stride, augment=False
        )

    def init_metrics(self, model: torch.nn.Module) -> None:
        """Begin without results."""
        super().init_metrics(model)
        self.results = []
        self.confusion = ConfusionMatrix(names=model.names)

    @staticmethod
    def _check_max_det(args: Any, datasets: dict[str, Any]) -> None:
        """Do nothing: Ultralytics 8.4 would raise a max_det of 300, and params.yaml would not show what was used."""

    def _process_batch(self, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> dict[str, np.ndarray]:
        """Match one image's predictions to its labels and keep the result; called once for each image."""
        matched: dict[str, np.ndarray] = super()._process_batch(preds, batch)
        self.confusion.process_batch(preds, batch, conf=CONFUSION_CONFIDENCE)
        self.results.append(
            ImageResult(
                file=batch["im_file"],
                true_positives=matched["tp"],
                confidences=preds["conf"].cpu().numpy(),
                predicted=preds["cls"].cpu().numpy().astype(np.int32),
                labelled=batch["cls"].cpu().numpy().astype(np.int32),
            )
        )
        return matched


def evaluate(
    weights: Path,
    root: Path,
    options: EvaluationOptions,
    imgsz: int,
    card: DatasetCard,
    manifest: Manifest,
    profile: Profile,
) -> tuple[MetricsRecord, Statistics]:
    """Measure one trained model on the held-out split.

    Args:
        weights: a best.pt of this pipeline.
        root: the dataset's folder.
        options: how to measure.
        imgsz: side of the square input in pixels.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.
        profile: cost of the model's arm.
    """
    split = card.held_out(options.split)
    data = dataset_dictionary(manifest, card.names, root, (split,))
    model = bridge.load_model(weights)
    weights_mb = sum(tensor.numel() * 2 for tensor in model.state_dict().values()) / 1e6
    save_dir = (environment.STATE_DIR / "evaluation").resolve()
    validator = RecordingValidator(_settings(options, imgsz, split), save_dir)
    with bridge.serving(data):
        validator(model=model)
    box = validator.metrics.box
    metrics = MetricsRecord(
        map50=_rounded(box.map50),
        map50_95=_rounded(box.map),
        precision=_rounded(box.mp),
        recall=_rounded(box.mr),
        parameters=profile.parameters,
        gflops=profile.gflops,
        weights_mb=round(weights_mb, 3),
    )
    measured = {key: str(value) for key, value in options.model_dump().items()} | bridge.engine()
    return metrics, _statistics(validator, split, measured, root, card.names)


def _settings(options: EvaluationOptions, imgsz: int, split: Split) -> dict[str, Any]:
    """Ultralytics' validation settings."""
    return {
        "task": "detect",
        "data": "manifest.yaml",  # never read: bridge.serving provides the manifest
        "split": split,
        "imgsz": imgsz,
        "batch": options.batch,
        "conf": options.conf,
        "iou": options.iou,
        "max_det": options.max_det,
        "device": environment.device(),
        "rect": True,
        "plots": False,
        "verbose": False,
    }


def _statistics(
    validator: RecordingValidator, split: Split, measured: dict[str, str], root: Path, names: tuple[str, ...]
) -> Statistics:
    """The validator's results as tables, images in order of path."""
    by_image = {Path(result.file).relative_to(root).as_posix(): result for result in validator.results}
    images = sorted(by_image)
    predictions, targets = [], []
    for number, image in enumerate(images):
        result = by_image[image]
        order = np.argsort(-result.confidences, kind="stable")
        predictions.append(
            pd.DataFrame(
                {
                    "image": np.int32(number),
                    "class_id": result.predicted[order],
                    "confidence": result.confidences[order],
                    **dict(zip(TRUE_POSITIVE_COLUMNS, result.true_positives[order].T, strict=True)),
                }
            )
        )
        targets.append(pd.DataFrame({"image": np.int32(number), "class_id": result.labelled}))
    box = validator.metrics.box
    per_class = pd.DataFrame(
        [
            {
                "class_id": int(class_id),
                "name": names[class_id],
                "images": int(validator.metrics.nt_per_image[class_id]),
                "boxes": int(validator.metrics.nt_per_class[class_id]),
                **dict(
                    zip(("precision", "recall", "map50", "map50_95"), map(_rounded, box.class_result(i)), strict=True)
                ),
            }
            for i, class_id in enumerate(box.ap_class_index)
        ]
    )
    return Statistics(
        split=split,
        measured=measured,
        names=names,
        images=pd.DataFrame({"image": images}),
        predictions=pd.concat(predictions, ignore_index=True),
        targets=pd.concat(targets, ignore_index=True),
        confusion=validator.confusion.matrix.astype(np.int64),
        per_class=per_class,
    )


def _rounded(value: float) -> float:
    """Rounded to six digits: more than any test split can resolve."""
    return round(float(value), 6)
