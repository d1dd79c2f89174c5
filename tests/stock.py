"""What Ultralytics builds from its own model YAMLs. Knows nothing of mobileyolo, so that it can run without."""

from __future__ import annotations

import hashlib
import json

import torch
from ultralytics.nn import tasks

MODELS = {
    "yolo11n.yaml": tasks.DetectionModel,
    "yolo11n-seg.yaml": tasks.SegmentationModel,
    "yolov8n.yaml": tasks.DetectionModel,
    "yolo26n.yaml": tasks.DetectionModel,
}


def fingerprints() -> dict[str, str]:
    """By model: a digest of its seeded weights, of its modules' types and of what is left of the random state."""
    found = {}
    for name, kind in MODELS.items():
        torch.manual_seed(0)
        model = kind(name, verbose=False)
        digest = hashlib.sha256(repr([(type(m).__module__, type(m).__name__) for m in model.modules()]).encode())
        for tensor in model.state_dict().values():
            digest.update(tensor.contiguous().numpy().tobytes())
        digest.update(torch.get_rng_state().numpy().tobytes())
        found[name] = digest.hexdigest()
    return found


if __name__ == "__main__":
    print(json.dumps(fingerprints()))  # noqa: T201 (read by the test that runs this file)
