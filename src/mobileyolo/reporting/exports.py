"""The result of an export as a table."""

from __future__ import annotations

from mobileyolo.deployment.records import ExportRecord
from mobileyolo.reporting.shared.cells import Table


def export_table(record: ExportRecord) -> Table:
    """How much the outputs of each exported file differ from those of the original."""
    rows = [
        (
            str(record.folder / each.file),
            f"{each.mb:.2f}",
            f"{each.output_box_px:.6f}",
            f"{each.output_confidence:.6f}",
            f"{each.boxes - each.unmatched} of {each.boxes}",
            f"{each.box_px:.6f}",
            f"{each.confidence:.6f}",
        )
        for each in record.formats.values()
    ]
    header = ("file", "MB", "output px", "output conf.", "boxes matched", "box px", "box conf.")
    return Table(header, "lrrrrrr", tuple(rows))
