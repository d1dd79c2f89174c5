"""Exported files -> int8 files beside them, each with what that costs in mAP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ultralytics.nn.tasks import DetectionModel

from mobileyolo.core import environment
from mobileyolo.core.errors import ExportError, UserError
from mobileyolo.core.records import METRICS, DatasetCard
from mobileyolo.core.results import Detections
from mobileyolo.core.tables import Manifest, Scenes
from mobileyolo.deployment import engines, exporting, onnx_quantiser, openvino_quantiser
from mobileyolo.deployment.engines import Engine
from mobileyolo.deployment.formats import EXPORT_FORMATS
from mobileyolo.deployment.inputs import CalibrationImages
from mobileyolo.deployment.records import Quantisation, QuantisedFile
from mobileyolo.evaluation.evaluator import detect
from mobileyolo.evaluation.image_results import ResultTables
from mobileyolo.evaluation.parameters import EvaluationOptions
from mobileyolo.verdict.bootstrap import Scenes as SceneNumbers
from mobileyolo.verdict.bootstrap import paired_bootstrap
from mobileyolo.verdict.differences import Rule, metric_deltas
from mobileyolo.verdict.interval import MIN_DEGREES
from mobileyolo.verdict.metrics import WeightedMetrics
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import DECIDING_METRIC, MetricDelta

# By format: the exported file or folder, images to calibrate with, the new file or folder.
_QUANTISERS: Mapping[str, Callable[[Path, CalibrationImages, Path], None]] = {
    "onnx": onnx_quantiser.quantise,
    "openvino": openvino_quantiser.quantise,
}


@dataclass(frozen=True)
class Measuring:
    """How what int8 costs is measured.

    Attributes:
        evaluation: as trained models are measured, but one image a pass, padded to a square.
        verdict: as two arms are compared.
        scenes: of the dataset.
    """

    evaluation: EvaluationOptions
    verdict: VerdictOptions
    scenes: Scenes


def quantise(
    folder: Path,
    formats: Sequence[str],
    model: DetectionModel,
    imgsz: int,
    root: Path,
    card: DatasetCard,
    manifest: Manifest,
    measuring: Measuring,
) -> Quantisation:
    """Write the int8 twin of each exported file that has a quantiser, and measure it on the held-out split.

    Args:
        folder: of the exported files, and for the new ones.
        formats: of the exported files, keys of EXPORT_FORMATS.
        model: what was exported, fused; the exported files were found to equal it.
        imgsz: side of the square input in pixels.
        root: the dataset's folder.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.
        measuring: how to measure.

    Raises:
        ExportError: a quantiser failed, or there is no training image.
        DatasetError: an image is gone or has changed since it was validated.
    """
    images = CalibrationImages(manifest, root, card.names, imgsz)

    def found_by(engine: Engine) -> ResultTables:
        return detect(engine, root, measuring.evaluation, imgsz, card, manifest)

    fp32 = found_by(engines.pytorch(model))
    scenes = measuring.scenes.of(card.held_out(measuring.evaluation.split), fp32.images["image"].tolist())
    files = {}
    for name in formats:
        wanted = EXPORT_FORMATS[name]
        if not wanted.int8_file:
            continue
        path = folder / wanted.int8_file
        try:
            _QUANTISERS[name](folder / wanted.file, images, path)
        except (UserError, OSError):
            raise
        except Exception as error:  # the quantisers can raise anything
            raise ExportError(f"{wanted.title}: int8: {type(error).__name__}: {error}") from error
        int8 = found_by(engines.load(name, path, environment.threads()))
        files[name] = _measured(path, map_difference(fp32, int8, scenes, measuring.verdict))
    return Quantisation(
        calibration_images=len(images),
        images=len(fp32.images),
        confidence=measuring.verdict.confidence,
        files=files,
    )


def map_difference(fp32: Detections, int8: Detections, scenes: SceneNumbers, options: VerdictOptions) -> MetricDelta:
    """mAP50-95 without and with int8 (baseline and candidate), and the difference with its paired interval.

    Only the choice of images could have come out otherwise: both have the same weights, so they share the luck of their
    training.

    Args:
        fp32: what the model finds.
        int8: what its int8 file finds in the same images.
        scenes: number of the scene of each image, shape (images,).
        options: of the interval.
    """
    rule = Rule(options, scenes, assumed=dict.fromkeys(METRICS, 0.0), assumed_degrees=MIN_DEGREES)
    models = [WeightedMetrics(fp32)], [WeightedMetrics(int8)]
    (by_seed,) = paired_bootstrap(*models, [np.ones(len(scenes))])
    deltas, _ = metric_deltas(by_seed, paired_bootstrap(*models, rule.draws()), rule)
    return deltas[DECIDING_METRIC]


def _measured(path: Path, metric: MetricDelta) -> QuantisedFile:
    return QuantisedFile(
        file=path.name,
        mb=exporting.megabytes(path),
        fp32=metric.baseline,
        int8=metric.candidate,
        delta=metric.delta,
        low=metric.low,
        high=metric.high,
        verdict=metric.verdict or "inconclusive",
    )
