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

    # MLflow infers a signature from annotations here, and has none for a list of paths or arrays.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Detect objects.

        Args:
            context: MLflow's.
            model_input: image paths, or arrays (H, W, 3) in BGR.
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
