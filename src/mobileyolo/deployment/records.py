"""What an export leaves beside the exported files."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.files import Record
from mobileyolo.core.records import Split
from mobileyolo.deployment import parity


class ExportedFile(parity.Parity):
    """One exported file and how far it is from the original."""

    file: str
    mb: float  # megabytes (1e6 bytes)


class ExportRecord(Record):
    """What lies in the folder: exports/<arm>-s<seed>/parity.json."""

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
        """Where it lies."""
        return export_folder(self.arm, self.seed)

    @property
    def file(self) -> Path:
        """Where the record itself lies."""
        return self.folder / "parity.json"

    def metrics(self) -> dict[str, float]:
        """The same as plain numbers, for MLflow."""
        values = {}
        for name, each in self.formats.items():
            values[f"export/{name}_max_box_diff_px"] = each.output_box_px
            values[f"export/{name}_max_confidence_diff"] = each.output_confidence
            values[f"export/{name}_mb"] = each.mb
        return values


def export_folder(arm: str, seed: int) -> Path:
    """Where a model's exported files go; not below models/, which stages depend on as a whole."""
    return Path("exports", f"{arm}-s{seed}")
