"""A trained model -> held-out metrics, and the per-image statistics from which they were computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils import ops
from ultralytics.utils.metrics import ConfusionMatrix

from mobileyolo.core import environment
from mobileyolo.core.records import DEPLOYED_METRICS, DatasetCard, MetricsRecord, Profile, Split
from mobileyolo.core.results import CORNERS, Statistics
from mobileyolo.core.tables import Manifest
from mobileyolo.evaluation.coco import coco_annotations, coco_ap, coco_results
from mobileyolo.evaluation.deployed import CONFIDENCES, confidence_to_deploy, deployed_metrics
from mobileyolo.evaluation.image_results import ImageResult, ResultTables
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.loading import ManifestDataset, SplitLabels, build_dataset, dataset_dictionary, without_traceback
from mobileyolo.models import bridge

CONFUSION_CONFIDENCE = 0.25  # Ultralytics' threshold for a confusion matrix

# (1, 3, H, W), RGB in [0, 1] -> (1, 4 + classes, anchors): xywh in pixels of the input, confidences in [0, 1].
Network = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


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
            img_path,
            self.args,
            self.data,
            batch=batch or self.args.batch,
            stride=self.stride,
            augment=False,
            square=not self.args.rect,
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
        height, width = batch["ori_shape"]
        self.results.append(
            ImageResult(
                file=batch["im_file"],
                width=width,
                height=height,
                true_positives=matched["tp"],
                confidences=preds["conf"].cpu().numpy(),
                predicted=preds["cls"].cpu().numpy().astype(np.int32),
                predicted_boxes=_in_image(preds["bboxes"], batch),
                labelled=batch["cls"].cpu().numpy().astype(np.int32),
                labelled_boxes=_in_image(batch["bboxes"], batch),
            )
        )
        return matched


class _Exported(torch.nn.Module):
    """A network outside PyTorch, as Ultralytics' validator takes one."""

    def __init__(self, network: Network, names: tuple[str, ...]) -> None:
        super().__init__()
        self._network = network
        self.names = dict(enumerate(names))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raw outputs; see `Network`."""
        return torch.from_numpy(self._network(images.numpy()))


def _in_image(boxes: torch.Tensor, batch: dict[str, Any]) -> np.ndarray:
    """Boxes (n, 4) xyxy in pixels of the network's input, as pixels of the original image and clipped to it."""
    scaled = ops.scale_boxes(batch["imgsz"], boxes.clone(), batch["ori_shape"], ratio_pad=batch["ratio_pad"])
    pixels: np.ndarray = scaled.cpu().numpy()
    return pixels


def evaluate(
    weights: Path,
    root: Path,
    options: EvaluationOptions,
    imgsz: int,
    card: DatasetCard,
    manifest: Manifest,
    profile: Profile,
) -> tuple[MetricsRecord, Statistics]:
    """Measure one trained model on the held-out split, at the confidence that is best on val.

    Args:
        weights: a best.pt of this pipeline.
        root: the dataset's folder.
        options: how to measure.
        imgsz: side of the square input in pixels.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.
        profile: cost of the model's arm.

    Raises:
        DatasetError: an image is another one than was validated, or was written to meanwhile.
    """
    split = card.held_out(options.split)
    splits: tuple[Split, ...] = (split,) if split == "val" else (split, "val")
    model = bridge.load_model(weights)
    weights_mb = sum(tensor.numel() * 2 for tensor in model.state_dict().values()) / 1e6
    validators = {each: RecordingValidator(_settings(options, imgsz, each), _save_dir()) for each in splits}
    data = dataset_dictionary(manifest, card.names, root, splits)
    with bridge.serving(data), without_traceback():
        for validator in validators.values():
            validator(model=model)
    for each in splits:
        data[each].check_unchanged()
    box, tables = validators[split].metrics.box, ResultTables.of(validators[split].results, root)
    thresholds = _deployed(CONFIDENCES, ResultTables.of(validators["val"].results, root))
    confidence = confidence_to_deploy(thresholds)
    deployed = _deployed([confidence], tables).iloc[0]
    annotations = coco_annotations(tables.images, tables.targets, card.names)
    metrics = MetricsRecord(
        map50_95=_rounded(box.map),
        map50=_rounded(box.map50),
        map75=_rounded(box.map75),
        val_map50_95=_rounded(validators["val"].metrics.box.map),
        confidence=confidence,
        precision=None if np.isnan(deployed["precision"]) else deployed["precision"],
        recall=deployed["recall"],
        f1=deployed["f1"],
        coco=coco_ap(annotations, coco_results(tables.most_confident())),
        parameters=profile.parameters,
        gflops=profile.gflops,
        weights_mb=round(weights_mb, 3),
    )
    statistics = Statistics(
        split=split,
        measured={key: str(value) for key, value in options.model_dump().items()} | bridge.engine(),
        names=card.names,
        images=tables.images,
        predictions=tables.predictions.drop(columns=list(CORNERS)),
        boxes=tables.boxes(),
        targets=tables.targets,
        thresholds=thresholds,
        confusion=validators[split].confusion.matrix.astype(np.int64),
        per_class=_per_class(validators[split], tables, confidence, card.names),
    )
    return metrics, statistics


def detect(
    network: Network, root: Path, options: EvaluationOptions, imgsz: int, card: DatasetCard, manifest: Manifest
) -> ResultTables:
    """What an exported network finds on the held-out split: one image a pass, padded to a square, on the CPU.

    Args:
        network: runs the exported file.
        root: the dataset's folder.
        options: how to measure.
        imgsz: side of the square input in pixels.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.

    Raises:
        DatasetError: an image is another one than was validated, or was written to meanwhile.
    """
    split = card.held_out(options.split)
    settings = _settings(options, imgsz, split) | {"batch": 1, "rect": False, "device": "cpu"}
    validator = RecordingValidator(settings, _save_dir())
    data = dataset_dictionary(manifest, card.names, root, (split,))
    with bridge.serving(data):
        validator(model=_Exported(network, card.names))
    data[split].check_unchanged()
    return ResultTables.of(validator.results, root)


def _save_dir() -> Path:
    return (environment.STATE_DIR / "evaluation").resolve()


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


def _deployed(thresholds: npt.ArrayLike, tables: ResultTables, class_id: int | None = None) -> pd.DataFrame:
    """The metrics at these confidences, at IoU 0.5, over all boxes or those of one class."""
    predictions, targets = tables.predictions, tables.targets
    if class_id is not None:
        predictions, targets = (table[table["class_id"] == class_id] for table in (predictions, targets))
    return deployed_metrics(thresholds, predictions["confidence"], predictions["tp_50"], len(targets))


def _per_class(
    validator: RecordingValidator, tables: ResultTables, confidence: float, names: tuple[str, ...]
) -> pd.DataFrame:
    """The labelled classes, as `Statistics` has them."""
    metrics = validator.metrics
    rows = []
    for position, class_id in enumerate(metrics.box.ap_class_index.tolist()):
        precisions = metrics.box.all_ap[position]  # average precision by IoU threshold, (10,)
        (deployed,) = _deployed([confidence], tables, class_id).to_dict("records")
        rows.append(
            {
                "class_id": class_id,
                "name": names[class_id],
                "images": int(metrics.nt_per_image[class_id]),
                "boxes": int(metrics.nt_per_class[class_id]),
                "map50_95": _rounded(precisions.mean()),
                "map50": _rounded(precisions[0]),
                "map75": _rounded(precisions[5]),
                **{name: deployed[name] for name in DEPLOYED_METRICS},
            }
        )
    return pd.DataFrame(rows)


def _rounded(value: float) -> float:
    """Rounded to six digits: more than any test split can resolve."""
    return round(float(value), 6)
