"""The result of an export as a table."""

from __future__ import annotations

from mobileyolo.deployment.records import ExportRecord, Quantisation
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


def int8_table(record: ExportRecord, int8: Quantisation) -> Table:
    """mAP50-95 of each int8 file, and the difference to single precision with its interval."""
    rows = [
        (
            str(record.folder / each.file),
            f"{each.mb:.2f}",
            f"{each.fp32:.3f}",
            f"{each.int8:.3f}",
            f"{each.delta:+.3f}",
            f"{each.low:+.3f} to {each.high:+.3f}",
            each.verdict,
        )
        for each in int8.files.values()
    ]
    header = ("file", "MB", "fp32", "int8", "difference", f"{100 * int8.confidence:.4g}% interval", "verdict")
    return Table(header, "lrrrrrl", tuple(rows))
