"""The model as MLflow serves it. MLflow runs this file when it loads a logged model; nothing here imports it."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

COLUMNS = ("image", "class_id", "name", "confidence", "x1", "y1", "x2", "y2")


class Detector(PythonModel):
    """Finds objects in images."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were logged with the model."""
        from ultralytics import YOLO

        from mobileyolo.models import bridge

        bridge.prepare()
        self._yolo = YOLO(context.artifacts["weights"])

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Detect objects.

        Args:
            context: MLflow's.
            model_input: a list or array of image paths, or of images (H, W, 3) in BGR. (It is annotated as an array
                because MLflow takes that as it comes; a list of either has no annotation that MLflow knows.)
            params: conf, the lowest confidence to return.

        Returns:
            One row a box: image (position in the input), class_id, name, confidence, x1, y1, x2, y2 (xyxy, pixels).
        """
        rows: list[tuple[Any, ...]] = []
        for position, image in enumerate(model_input):
            for result in self._yolo.predict(image, verbose=False, **(params or {})):
                boxes = np.asarray(result.boxes.data.cpu())  # (n, 6): xyxy, confidence, class
                rows += [
                    (position, int(box[5]), result.names[int(box[5])], float(box[4]), *map(float, box[:4]))
                    for box in boxes
                ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


mlflow.models.set_model(Detector())
