"""The record that an export writes beside the exported files."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.files import Record
from mobileyolo.core.records import Split
from mobileyolo.deployment import parity


class ExportedFile(parity.Parity):
    """One exported file, and how much its outputs differ from the original's."""

    file: str
    mb: float  # megabytes (1e6 bytes)


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
        return values


def export_folder(arm: str, seed: int) -> Path:
    """Folder of a model's exported files. Not below models/: the stage compare depends on all of models/<arm>."""
    return Path("exports", f"{arm}-s{seed}")
