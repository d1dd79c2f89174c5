"""Time both arms' trained models in turn, in one process, on held-out images."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import ImageSize, Params, Seeds, Share
from mobileyolo.core.console import say
from mobileyolo.core.files import LATENCY_FILE, ModelFiles
from mobileyolo.core.records import MetricsRecord
from mobileyolo.core.tables import Manifest
from mobileyolo.costs.inputs import typical_images
from mobileyolo.costs.latency import BATCH, Suppression, measure_latency
from mobileyolo.costs.parameters import LatencyOptions
from mobileyolo.models import bridge
from stages import run


def main(params: Params) -> None:
    """Write reports/latency.json."""
    files = {arm: ModelFiles(arm, params.get("seeds", Seeds)[0]) for arm in ARMS}
    suppression = Suppression(
        confidences={arm: MetricsRecord.read(each.metrics).confidence for arm, each in files.items()},
        iou=params.get("evaluate.iou", Share),
        max_det=params.get("evaluate.max_det", int),
    )
    record = measure_latency(
        {arm: bridge.load_model(each.weights) for arm, each in files.items()},
        typical_images(Manifest.read(), Path(params.data_dir), params.get("train.imgsz", ImageSize), BATCH),
        suppression,
        params.section(LatencyOptions),
    )
    record.write(LATENCY_FILE)
    for name, timing in record.timings.items():
        medians = ", ".join(f"{arm} {median(rounds):.2f}" for arm, rounds in timing.rounds_ms.items())
        rounds = len(timing.rounds_ms["baseline"])
        say(f"{name}: {medians} (medians of {rounds} rounds, {timing.height} x {timing.width} px, {timing.engine})")


if __name__ == "__main__":
    run(main)
