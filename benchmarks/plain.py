"""The peer: what plain Ultralytics does, as a process of its own. Run: python -m benchmarks.plain train|val|scan JSON.

It chooses its threads by itself. Its integrations are off, as they are in the pipeline: they would only cost time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mobileyolo.core import environment


def train(model: str, settings: dict[str, Any]) -> None:
    """Train as Ultralytics' users do."""
    from ultralytics import YOLO

    YOLO(model).train(**settings)


def val(model: str, splits: list[str], settings: dict[str, Any]) -> None:
    """Measure a trained model on each of these splits."""
    from ultralytics import YOLO

    for split in splits:
        YOLO(model).val(split=split, **settings)


def scan(root: str, splits: list[str]) -> None:
    """Read all labels and headers of images, without the cache of an earlier time; print the seconds of it alone."""
    from ultralytics.data.dataset import YOLODataset

    start = time.perf_counter()
    for split in splits:
        for cache in Path(root, split).glob("*.cache"):
            cache.unlink()
        data = {"names": {n: str(n) for n in range(1000)}, "nc": 1000, "channels": 3}
        YOLODataset(img_path=str(Path(root, split, "images")), data=data, task="detect")
    print(time.perf_counter() - start)


def main() -> None:
    """Do what the command line says."""
    environment.isolate(Path.cwd())
    from ultralytics import settings

    import mobileyolo  # noqa: F401 -- adds MobileNetV1 to Ultralytics' parser; its own models stay as they are

    settings.update(dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False))
    ways: dict[str, Callable[..., None]] = {"train": train, "val": val, "scan": scan}
    ways[sys.argv[1]](**json.loads(sys.argv[2]))


if __name__ == "__main__":
    main()
