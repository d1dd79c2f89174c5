"""Export what `dvc repro` trained for other engines and tools, into exports/<arm>-s<seed>/.

Each exported model is run in its own engine on up to 32 held-out images and compared with PyTorch. Only models that
give the same boxes replace what was there; otherwise the command ends with exit code 1 and leaves the folder as it
was. parity.json beside the files and the model's MLflow run keep the differences.

--format coco writes what the stage evaluate found, without running a model: coco_predictions.json has the 100 most
confident boxes of each held-out image, coco_annotations.json the labelled ones.

--int8 writes an int8 file beside each exported one of ONNX and OpenVINO, calibrated on images of the training split,
and says what that costs: mAP50-95 on the held-out split with and without, and the difference with its interval.

OpenVINO, NCNN and --int8 of OpenVINO need an extra: pip install 'mobileyolo[export]'.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mobileyolo.commands.option_types import imgsz as imgsz_converter
from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.console import say
from mobileyolo.deployment.formats import EXPORT_FORMATS, INT8_FORMATS

if TYPE_CHECKING:
    from mobileyolo.core.files import ModelFiles

SUMMARY = "export trained models for other engines, and check them against PyTorch"
EXTRA = "pipeline"
COCO = "coco"  # of the formats the only one that holds predictions, not a model
EXAMPLES = """examples:
  mobileyolo export
  mobileyolo export --arm candidate --format onnx --format ncnn --imgsz 320
  mobileyolo export --int8 --format onnx --format openvino
  mobileyolo export --format coco
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models, and as what."""
    parser.add_argument("--arm", choices=ARMS, help="the model to export (default: both)")
    parser.add_argument("--seed", type=int, help="seed that it was trained with (default: the first in params.yaml)")
    parser.add_argument(
        "--format",
        dest="formats",
        action="append",
        choices=[*EXPORT_FORMATS, "all", COCO],
        help="what to export it to; can be repeated (default: all, which is every one but coco)",
    )
    parser.add_argument(
        "--imgsz", type=imgsz_converter, help="side of the square input in pixels (default: the training's)"
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help=f"quantise to 8 bits as well, and measure what it costs in mAP ({', '.join(INT8_FORMATS)})",
    )


def run(arm: Arm | None, seed: int | None, formats: list[str] | None, imgsz: int | None, int8: bool) -> None:
    """Export, check, print, and log to MLflow.

    Raises:
        ExportError: a format can't be quantised, or an export failed.
    """
    import pandas as pd

    from mobileyolo.commands.last_run import last_dataset
    from mobileyolo.core.config import Seeds, load_params
    from mobileyolo.core.errors import ExportError
    from mobileyolo.core.files import ModelFiles
    from mobileyolo.core.records import TrainingRecord
    from mobileyolo.core.tables import Manifest, Scenes
    from mobileyolo.deployment.delivery import deliver
    from mobileyolo.deployment.quantising import Measuring
    from mobileyolo.evaluation.parameters import EvaluationOptions
    from mobileyolo.reporting.exports import export_table, int8_table
    from mobileyolo.reporting.shared.cells import console
    from mobileyolo.tracking import Tracker
    from mobileyolo.verdict.parameters import VerdictOptions

    if int8 and (refused := [name for name in formats or () if name not in ("all", *INT8_FORMATS)]):
        raise ExportError(f"--int8: {refused[0]!r} can't be quantised here; choose from {', '.join(INT8_FORMATS)}")
    params, card, manifest = load_params(), last_dataset(), Manifest.read()
    root, held_out = Path(params.data_dir), params.get("evaluate.split", str)
    asked = dict.fromkeys(formats or ["all"])
    names = [name for name in EXPORT_FORMATS if name in asked or "all" in asked]
    measuring = None
    if int8:
        measuring = Measuring(params.section(EvaluationOptions), params.section(VerdictOptions), Scenes.read())
    for each in [arm] if arm else ARMS:
        files = ModelFiles(each, params.get("seeds", Seeds)[0] if seed is None else seed)
        if names:
            record = deliver(files, names, imgsz, root, held_out, card, manifest, measuring)
            say(f"{each}: {record.backbone}, seed {record.seed}, {record.imgsz} px, against PyTorch on", end=" ")
            say(f"{record.images} {record.split} images, largest differences:\n{console(export_table(record))}\n")
            if record.int8:
                say(f"mAP50-95 of int8 on {record.int8.images} {record.split} images, calibrated on", end=" ")
                say(f"{record.int8.calibration_images} training images:\n{console(int8_table(record, record.int8))}\n")
            training, history = TrainingRecord.read(files.training), pd.read_csv(files.history)
            Tracker.open(params.data_dir, card).log_export(training, history, record.metrics(), record.file)
        if COCO in asked:
            _write_predictions(files)


def _write_predictions(files: ModelFiles) -> None:
    """Write predictions and labels of a model's held-out images as COCO's JSON.

    Raises:
        ExportError: the model was not evaluated.
    """
    from mobileyolo.core.errors import ExportError
    from mobileyolo.core.files import write_text
    from mobileyolo.core.results import Statistics
    from mobileyolo.deployment.records import export_folder
    from mobileyolo.evaluation.coco import coco_annotations, coco_results

    if not files.metrics.is_file():
        raise ExportError(f"{files.metrics}: no such file; run dvc repro first, or choose another --seed")
    statistics, folder = Statistics.read(files.statistics), export_folder(files.arm, files.seed)
    predictions = coco_results(statistics.predicted_boxes())
    annotations = coco_annotations(statistics.images, statistics.targets, statistics.names)
    for name, content in {"predictions": predictions, "annotations": annotations}.items():
        write_text(folder / f"coco_{name}.json", json.dumps(content, ensure_ascii=False) + "\n")
    say(
        f"{files.arm}: {len(predictions)} predictions on {len(statistics.images)} {statistics.split} images in", end=" "
    )
    say(f"{folder / 'coco_predictions.json'}, labels in {folder / 'coco_annotations.json'}")
