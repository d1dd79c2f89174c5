"""Export the models that `dvc repro` trained for other engines, into exports/<arm>-s<seed>/.

Each file is run in its own engine on up to 32 held-out images and compared with PyTorch. Only files that give the
same boxes replace what was there; otherwise the command ends with exit code 1 and leaves the folder as it was.
parity.json beside the files and the model's MLflow run keep the differences.

OpenVINO and NCNN need an extra: pip install 'mobileyolo[export]'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mobileyolo.commands.option_types import imgsz as imgsz_converter
from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.deployment.formats import EXPORT_FORMATS

SUMMARY = "export trained models for other engines, and check them against PyTorch"
EXTRA = "pipeline"
EXAMPLES = """examples:
  mobileyolo export
  mobileyolo export --arm candidate --format onnx --format ncnn --imgsz 320
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models, and as what."""
    parser.add_argument("--arm", choices=ARMS, help="the model to export (default: both)")
    parser.add_argument("--seed", type=int, help="seed that it was trained with (default: the first in params.yaml)")
    parser.add_argument(
        "--format",
        dest="formats",
        action="append",
        choices=[*EXPORT_FORMATS, "all"],
        help="what to export it to; can be repeated (default: all)",
    )
    parser.add_argument(
        "--imgsz", type=imgsz_converter, help="side of the square input in pixels (default: the training's)"
    )


def run(arm: Arm | None, seed: int | None, formats: list[str] | None, imgsz: int | None) -> None:
    """Export, check, print, and log to MLflow."""
    import pandas as pd

    from mobileyolo.commands.last_run import last_dataset
    from mobileyolo.core.config import Seeds, load_params
    from mobileyolo.core.files import ModelFiles
    from mobileyolo.core.records import Manifest, TrainingRecord
    from mobileyolo.deployment.delivery import deliver
    from mobileyolo.reporting.exports import export_table
    from mobileyolo.reporting.shared.cells import console
    from mobileyolo.tracking import Tracker

    params, card, manifest = load_params(), last_dataset(), Manifest.read()
    root, held_out = Path(params.data_dir), params.get("evaluate.split", str)
    names = list(EXPORT_FORMATS) if not formats or "all" in formats else list(dict.fromkeys(formats))
    for each in [arm] if arm else ARMS:
        files = ModelFiles(each, params.get("seeds", Seeds)[0] if seed is None else seed)
        record = deliver(files, names, imgsz, root, held_out, card, manifest)
        print(f"{each}: {record.backbone}, seed {record.seed}, {record.imgsz} px, against PyTorch on", end=" ")
        print(f"{record.images} {record.split} images, largest differences:\n{console(export_table(record))}\n")
        training, history = TrainingRecord.read(files.training), pd.read_csv(files.history)
        Tracker.open(params.data_dir, card).log_export(training, history, record.metrics(), record.file)
