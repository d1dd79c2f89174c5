"""Time both arms' forward passes in turn, in one process, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from mobileyolo.config import ARMS, Params
from mobileyolo.files import LATENCY_FILE, model_file, read_mapping
from mobileyolo.models.latency import measure_latency
from stages import run


def main(params: Params) -> None:
    """Write reports/latency.json."""
    architectures = {arm: read_mapping(model_file(arm)) for arm in ARMS}
    measure_latency(architectures, params.train.imgsz, params.latency).write(LATENCY_FILE)


if __name__ == "__main__":
    run(main)
