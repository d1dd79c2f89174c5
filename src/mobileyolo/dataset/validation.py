"""The dataset gate: read, check, and say what was found and what is left to train on.

Importing it takes seconds, for it brings Great Expectations: only the stage validate does.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mobileyolo.artifacts import DatasetCard, FindingCount, Manifest, Severity, SplitCount, ValidationVerdict
from mobileyolo.config import Tolerance
from mobileyolo.dataset.expectations import Outcome, Table, check
from mobileyolo.dataset.reading import RawDataset, read_dataset

SHOWN_OFFENDERS = 10
FILE_COLUMN: dict[Table, str] = {"splits": "split", "images": "image", "boxes": "label"}


@dataclass(frozen=True)
class Offender:
    """One row that has a fault."""

    file: str  # below the dataset folder
    line: int | None  # 1-based, in a label file
    value: str


@dataclass(frozen=True)
class Finding:
    """A kind of fault that the dataset has, and every row that has it."""

    kind: str
    severity: Severity
    description: str  # what was expected
    remedy: str
    unit: str  # what a row is: images, boxes, splits
    rows: int  # that could have had it
    tolerance: float
    drops: bool  # are its rows missing from the manifest?
    offenders: tuple[Offender, ...]

    @property
    def count(self) -> int:
        """How many rows have the fault."""
        return len(self.offenders)

    @property
    def share(self) -> float:
        """How many of the rows have the fault, in [0, 1]."""
        return self.count / self.rows


@dataclass(frozen=True)
class Validation:
    """What validation says of a dataset. Card and manifest hold its clean rows, whether it passed or not."""

    findings: tuple[Finding, ...]
    card: DatasetCard
    manifest: Manifest

    @property
    def passed(self) -> bool:
        """May the dataset be trained on?"""
        return all(finding.severity != "error" for finding in self.findings)

    def verdict(self) -> ValidationVerdict:
        """The findings in numbers."""
        return ValidationVerdict(
            passed=self.passed,
            findings={
                finding.kind: FindingCount(
                    severity=finding.severity,
                    count=finding.count,
                    rows=finding.rows,
                    share=finding.share,
                    tolerance=finding.tolerance,
                )
                for finding in self.findings
            },
        )

    def offenders(self) -> pd.DataFrame:
        """Every offender of every finding: kind, severity, file, line (missing for images), value."""
        table = pd.DataFrame(
            [
                (finding.kind, finding.severity, offender.file, offender.line, offender.value)
                for finding in self.findings
                for offender in finding.offenders
            ],
            columns=["kind", "severity", "file", "line", "value"],
        )
        return table.astype({"line": "Int64"})


def validate(root: Path, tolerance: Tolerance, docs_dir: Path | None = None) -> Validation:
    """Validate the YOLO dataset in a folder; nothing in it is changed.

    Args:
        root: The dataset's folder.
        tolerance: Share of rows up to which each kind of finding is a warning.
        docs_dir: Folder for Great Expectations' Data Docs.

    Raises:
        DatasetError: there is no dataset to be read.
    """
    data = read_dataset(root)
    shares = tolerance.model_dump()
    outcomes = [outcome for outcome in check(data, shares, docs_dir) if len(outcome.offenders)]
    manifest = _clean(data, outcomes)
    return Validation(
        findings=tuple(_finding(outcome, shares.get(outcome.kind.name, 0.0)) for outcome in outcomes),
        card=_card(data, manifest),
        manifest=manifest,
    )


def format_findings(findings: Iterable[Finding]) -> str:
    """Findings for the console, a block a kind: what was found, what was expected, what to do, and where."""
    return "\n".join(_block(finding) for finding in findings)


def _block(finding: Finding) -> str:
    outcome = "left out" if finding.drops else "let through"
    shown = [_place(offender) for offender in finding.offenders[:SHOWN_OFFENDERS]]
    if finding.count > SHOWN_OFFENDERS:
        shown.append(f"and {finding.count - SHOWN_OFFENDERS:,} more")
    lines = [
        f"{finding.severity.upper()} {finding.kind}: {finding.count:,} of {finding.rows:,} {finding.unit} "
        f"({finding.share:.2%}, tolerated up to {finding.tolerance:.2%})"
        f"{f'; {outcome}' if finding.severity == 'warning' else ''}",
        f"  expected: {finding.description}",
        f"  to do: {finding.remedy}",
        *(f"    {line}" for line in shown),
    ]
    return "\n".join(lines)


def _place(offender: Offender) -> str:
    line = "" if offender.line is None else f"{offender.line}:"
    return f"{offender.file}:{line} {offender.value}"


def _finding(outcome: Outcome, tolerance: float) -> Finding:
    kind = outcome.kind
    return Finding(
        kind=kind.name,
        severity="warning" if outcome.tolerated else "error",
        description=kind.description,
        remedy=kind.remedy,
        unit=kind.table,
        rows=outcome.rows,
        tolerance=tolerance,
        drops=kind.drops,
        offenders=tuple(
            Offender(row[FILE_COLUMN[kind.table]], row.get("line"), kind.shown.format_map(row))
            for row in outcome.offenders.to_dict("records")
        ),
    )


def _clean(data: RawDataset, outcomes: Sequence[Outcome]) -> Manifest:
    """The rows without a fault that drops them."""
    dropped = [outcome for outcome in outcomes if outcome.kind.drops]
    bad_images = {image for o in dropped if o.kind.table == "images" for image in o.offenders["image"]}
    bad_boxes = {index for o in dropped if o.kind.table == "boxes" for index in o.offenders.index}
    images = data.images[~data.images["image"].isin(bad_images)]
    boxes = data.boxes[~data.boxes.index.isin(bad_boxes) & ~data.boxes["image"].isin(bad_images)]
    images = images.assign(label=images["label"].where(images["label_exists"], ""))
    boxes = boxes.astype({"class_id": "int64"})
    return Manifest(
        images=images[list(Manifest.IMAGE_COLUMNS)].reset_index(drop=True),
        boxes=boxes[list(Manifest.BOX_COLUMNS)].reset_index(drop=True),
    )


def _card(data: RawDataset, manifest: Manifest) -> DatasetCard:
    by_image: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for image, _, *box in manifest.boxes.itertuples(index=False, name=None):
        by_image[image].append(tuple(box))
    digest = hashlib.sha256(json.dumps(data.names).encode())
    counts = {split: [0, 0] for split in data.splits}
    for split, image, sha256 in manifest.images[["split", "image", "sha256"]].itertuples(index=False, name=None):
        boxes = by_image.get(image, [])
        digest.update(json.dumps([split, image, sha256, boxes]).encode())
        counts[split][0] += 1
        counts[split][1] += len(boxes)
    return DatasetCard(
        digest=digest.hexdigest(),
        names=data.names,
        splits={s: SplitCount(images=images, boxes=boxes) for s, (images, boxes) in counts.items() if images},
    )
