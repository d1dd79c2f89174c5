"""The model as MLflow serves it. MLflow stores a copy of this file with the model and runs it when the model is loaded.

No module of this package imports this file. It imports none but models/checkpoints.py, of which MLflow stores a copy
too: a checkpoint holds no class of this package, so Ultralytics is enough to serve it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

# Columns and types of the table of boxes; an empty table has them too.
COLUMNS = {
    "image": "int64",  # position in the input, from 0
    "class_id": "int64",
    "name": "string",
    "confidence": "float64",
    "x1": "float64",  # pixels of the image as it was given
    "y1": "float64",
    "x2": "float64",
    "y2": "float64",
}


class Detector(PythonModel):
    """Finds objects in images."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were logged with the model."""
        # Ultralytics reads these on import. What the user has set stays.
        for name, value in {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false"}.items():
            os.environ.setdefault(name, value)
        from checkpoints import read_checkpoint  # type: ignore[import-not-found]  # MLflow puts its folder on the path
        from ultralytics.models.yolo.detect import DetectionPredictor

        # Not through Ultralytics' YOLO, which runs what a file says unless a variable was set before its first import.
        model = read_checkpoint(Path(context.artifacts["weights"]))["model"].float()
        overrides = {"imgsz": model.args["imgsz"], "batch": 1, "save": False, "verbose": False}
        self._predictor = DetectionPredictor(overrides=overrides)
        self._settings = self._predictor.args
        self._predictor.setup_model(model, verbose=False)

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Detect objects.

        Args:
            context: MLflow's.
            model_input: images, as a list or an array, or a table with one column of paths. Each image is the path of a
                file or an array (H, W, 3) of whole numbers from 0 to 255 in RGB. (The annotation says array because
                MLflow then passes every input on unchanged; it has no annotation for all of these.)
            params: conf, the lowest confidence to return; iou, the overlap above which only the box with the higher
                confidence stays.

        Returns:
            One row for each box, with COLUMNS; the boxes of an image in order of falling confidence.

        Raises:
            ValueError: an input is not an image.
        """
        from ultralytics.cfg import get_cfg

        self._predictor.args = get_cfg(self._settings, params or {})
        rows: list[tuple[Any, ...]] = []
        for position, image in enumerate(_images(model_input)):
            (result,) = self._predictor(_pixels(image))
            boxes = np.asarray(result.boxes.data.cpu())  # (n, 6): xyxy, confidence, class
            rows += [
                (position, int(box[5]), result.names[int(box[5])], float(box[4]), *map(float, box[:4])) for box in boxes
            ]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _images(model_input: Any) -> Iterable[Any]:
    """The images of an input."""
    if isinstance(model_input, pd.DataFrame):
        if model_input.shape[1] != 1:
            raise ValueError(f"a table of images has one column, of paths, not {list(model_input.columns)}")
        return model_input.iloc[:, 0]
    if isinstance(model_input, str):
        return [model_input]
    return model_input  # type: ignore[no-any-return]


def _pixels(image: Any) -> np.ndarray:
    """One image as the array that Ultralytics expects: (H, W, 3), uint8, BGR."""
    if isinstance(image, str | os.PathLike):
        from ultralytics.utils.patches import imread

        # Opened here, because Ultralytics would also take the text for a camera, a screen, a folder or a URL.
        pixels: np.ndarray | None = imread(image) if Path(image).is_file() else None
        if pixels is None:
            raise ValueError(f"{os.fspath(image)!r} is not an image file")
        return pixels
    array = np.asarray(image)
    image_like = array.ndim == 3 and array.shape[2] == 3 and array.size and array.dtype.kind in "iu"
    if not image_like or array.min() < 0 or array.max() > 255:
        raise ValueError(
            "an image is the path of a file or an array (H, W, 3) of whole numbers from 0 to 255 in RGB; this one is "
            f"{type(image).__name__} with shape {array.shape} and type {array.dtype}"
        )
    return np.ascontiguousarray(array[..., ::-1], dtype=np.uint8)


mlflow.models.set_model(Detector())
