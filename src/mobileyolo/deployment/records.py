"""The record that an export writes beside the exported files."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.files import Record
from mobileyolo.core.records import Split
from mobileyolo.deployment import parity
from mobileyolo.verdict.records import Interval, Verdict


class ExportedFile(parity.Parity):
    """One exported file, and how much its outputs differ from the original's."""

    file: str
    mb: float  # megabytes (1e6 bytes)


class QuantisedFile(Interval):
    """One int8 file, and what it finds of the labels: mAP50-95 with it, without it, and the difference."""

    file: str
    mb: float  # megabytes (1e6 bytes)
    fp32: float  # mAP50-95
    int8: float
    verdict: Verdict  # by compare.margin


class Quantisation(Record):
    """All int8 files of a model. Their intervals have no part from the luck of training: the weights are the same."""

    calibration_images: int  # of the training split
    images: int  # of the held-out split
    confidence: float  # of the intervals
    files: dict[str, QuantisedFile]  # by format


class ExportRecord(Record):
    """All exported files of a model: exports/<arm>-s<seed>/parity.json."""

    arm: str
    backbone: str
    seed: int
    weights_digest: str
    imgsz: int  # pixels
    split: Split
    images: int
    versions: dict[str, str]
    formats: dict[str, ExportedFile]
    int8: Quantisation | None = None

    @property
    def folder(self) -> Path:
        """Folder of the exported files."""
        return export_folder(self.arm, self.seed)

    @property
    def file(self) -> Path:
        """Path of this record."""
        return self.folder / "parity.json"

    def metrics(self) -> dict[str, float]:
        """The differences and file sizes as MLflow metrics."""
        values = {}
        for name, each in self.formats.items():
            values[f"export/{name}_max_box_diff_px"] = each.output_box_px
            values[f"export/{name}_max_confidence_diff"] = each.output_confidence
            values[f"export/{name}_mb"] = each.mb
        for name, quantised in self.int8.files.items() if self.int8 else ():
            values[f"export/{name}_int8_mb"] = quantised.mb
            values[f"export/{name}_int8_map50_95"] = quantised.int8
            values[f"export/{name}_int8_map50_95_diff"] = quantised.delta
            values[f"export/{name}_int8_map50_95_diff_low"] = quantised.low
            values[f"export/{name}_int8_map50_95_diff_high"] = quantised.high
        return values


def export_folder(arm: str, seed: int) -> Path:
    """Folder of a model's exported files. Not below models/: the stage compare depends on all of models/<arm>."""
    return Path("exports", f"{arm}-s{seed}")
