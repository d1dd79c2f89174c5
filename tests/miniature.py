"""The smallest training that runs: one arm on a few images of coloured rectangles."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from mobileyolo.core.records import SPLITS
from mobileyolo.core.tables import Manifest
from mobileyolo.loading import dataset_dictionary
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.training.trainer import ArmModel, ArmTrainer
from tests.synthetic import write_dataset

NAMES = ("square", "bar")
IMGSZ = 64  # pixels

Box = tuple[int, float, float, float, float]  # class id, xywhn


def make_data(root: Path, crowd: int = 0) -> dict[str, Any]:
    """A dataset as the trainer takes it: 2 images to train on, 2 to validate with, 2 to test, two boxes each.

    Args:
        root: where its images go.
        crowd: boxes in the first validation image, in place of its two.
    """
    write_dataset(root, train=2, size=IMGSZ, classes=NAMES)
    images: list[tuple[object, ...]] = []
    boxes: list[tuple[object, ...]] = []
    for split in SPLITS:
        for file in sorted((root / split / "images").iterdir()):
            image = file.relative_to(root).as_posix()
            label = root / split / "labels" / f"{file.stem}.txt"
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            images.append((split, image, label.name, IMGSZ, IMGSZ, file.stat().st_size, digest))
            own = [_box(line) for line in label.read_text(encoding="utf-8").splitlines()]
            if crowd and split == "val" and file.stem == "000":
                own = [(0, *(0.1 + 0.8 * index / crowd,) * 2, 0.1, 0.1) for index in range(crowd)]
            boxes += [(image, line, *box) for line, box in enumerate(own, start=1)]
    manifest = Manifest(
        pd.DataFrame(images, columns=list(Manifest.IMAGE_COLUMNS)),
        pd.DataFrame(boxes, columns=list(Manifest.BOX_COLUMNS)),
    )
    return dataset_dictionary(manifest, NAMES, root, SPLITS)


def make_trainer(
    folder: Path,
    data: dict[str, Any],
    kind: type[ArmTrainer] = ArmTrainer,
    teacher: Path | None = None,
    **changes: Any,
) -> ArmTrainer:
    """A trainer of mnv1_n for two epochs.

    Args:
        folder: where it writes.
        data: a `make_data`.
        kind: ArmTrainer, or a class made of it.
        teacher: a checkpoint to learn from.
        changes: of Ultralytics' settings.
    """
    bridge.prepare()
    settings = {
        "model": "model.yaml",
        "data": "manifest",
        "epochs": 2,
        "imgsz": IMGSZ,
        "batch": 2,
        "nbs": 2,
        "device": "cpu",
        "pretrained": False,
        "amp": False,
        "plots": False,
        "exist_ok": True,
        "project": str(folder),
        "name": "miniature",
        **({"distill_model": str(teacher)} if teacher else {}),
        **changes,
    }
    architecture = model_dict("mnv1_n", len(NAMES), bridge.stock_architecture())
    return kind(settings, ArmModel(architecture, {}, teacher), data, lambda *_: None)


def _box(line: str) -> Box:
    class_id, x, y, width, height = line.split()
    return int(class_id), float(x), float(y), float(width), float(height)
