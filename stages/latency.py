"""Time both arms' forward passes in turn, in one process, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from statistics import median

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import ImageSize, Params
from mobileyolo.core.files import LATENCY_FILE, model_file, read_mapping
from mobileyolo.costs.latency import measure_latency
from mobileyolo.costs.parameters import LatencyOptions
from stages import run


def main(params: Params) -> None:
    """Write reports/latency.json."""
    architectures = {arm: read_mapping(model_file(arm)) for arm in ARMS}
    imgsz, options = params.get("train.imgsz", ImageSize), params.section(LatencyOptions)
    record = measure_latency(architectures, imgsz, options)
    record.write(LATENCY_FILE)
    for timed in record.engines.values():
        medians = ", ".join(f"{arm} {median(rounds):.2f} ms" for arm, rounds in timed.rounds_ms.items())
        print(f"{timed.engine}: {medians} (medians of {options.rounds} rounds)")


if __name__ == "__main__":
    run(main)
