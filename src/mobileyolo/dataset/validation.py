"""The dataset gate: reads and judges a dataset, and says what was found and what is left to train on.

Importing this module takes seconds, because it imports Great Expectations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.files import NONE
from mobileyolo.core.records import DatasetCard, SplitCount, Suite
from mobileyolo.core.tables import Manifest, Scenes
from mobileyolo.dataset.expectations import BOX, KindResult, Threshold, judge
from mobileyolo.dataset.faults import FAULTS
from mobileyolo.dataset.finding_kinds import Audited, Kind, TableName
from mobileyolo.dataset.findings import Finding, Offender, verdict_of
from mobileyolo.dataset.parameters import ValidationRules
from mobileyolo.dataset.quality import QUALITY
from mobileyolo.dataset.reading import RawDataset, read_dataset
from mobileyolo.dataset.scenes import scenes_of

LISTED_OFFENDERS = 10_000  # of each kind, the worst ones; all are counted
# Shares that no parameter sets: the first two always stop, and a test split that is not needed never does.
FIXED_TOLERANCE = {"empty_split": 0.0, "unlabelled_split": 0.0, "unused_test": 1.0}
FILE_COLUMN: dict[TableName, str] = {"splits": "split", "labels": "label", "images": "image", "boxes": "label"}


@dataclass(frozen=True)
class Validation:
    """The result of a validation. All but the findings is of the clean rows, also if the dataset did not pass."""

    findings: tuple[Finding, ...]
    card: DatasetCard
    manifest: Manifest
    scenes: Scenes

    @property
    def passed(self) -> bool:
        """May the dataset be trained on?"""
        return verdict_of(self.findings).passed


def validate(
    root: Path,
    rules: ValidationRules,
    memory_dir: Path | None = None,
    docs_dir: Path | None = None,
    group: str = NONE,
    held_out: str = "auto",
) -> Validation:
    """Validate the YOLO dataset in a folder; nothing in it is changed.

    Args:
        root: The dataset's folder.
        rules: What is tolerated, and what gives a warning.
        memory_dir: Where to remember what was read; see `reading.read_dataset`.
        docs_dir: Folder for Great Expectations' Data Docs.
        group: Which images belong together; `data.group`.
        held_out: The split that models are measured on; `evaluate.split`. With `val` the test split is not needed.

    Raises:
        DatasetError: no dataset can be read there, or it declares the test split that is asked for where nothing is.
    """
    data = read_dataset(root, memory_dir)
    if held_out == "test" and "test" in data.absent:
        raise DatasetError(f"{data.absent['test']}; evaluate.split asks for it")
    if held_out == "val":
        data = _without_useless_test(data)
    audited = Audited(data, rules.slack, group)
    results = judge(audited, _suites(rules), docs_dir)
    images, boxes = _clean(data, results)
    manifest = Manifest(images[list(Manifest.IMAGE_COLUMNS)], boxes[list(Manifest.BOX_COLUMNS)])
    found = [result for result in results if len(result.offenders) and _is_finding(result)]
    return Validation(
        findings=tuple(_finding(result, audited) for result in found),
        card=_card(data, manifest),
        manifest=manifest,
        scenes=Scenes(images[["split", "image"]].assign(scene=scenes_of(images, group))),
    )


def _without_useless_test(data: RawDataset) -> RawDataset:
    """The dataset without its test split, if that has no image or no label and so could not be measured on."""
    test = data.images[data.images["split"] == "test"]
    readable = test[test["read_error"].isna()]
    if (
        "test" not in data.splits
        or readable["label_exists"].any()
        or readable["image"].isin(list(data.ambiguous)).any()
    ):
        return data
    reason = f"{len(test):,} images, none {'with a label file' if len(readable) else 'readable'}"
    images = data.images[data.images["split"] != "test"].reset_index(drop=True)
    boxes = data.boxes[data.boxes["image"].isin(images["image"])].reset_index(drop=True)
    splits = tuple(split for split in data.splits if split != "test")
    return replace(data, splits=splits, images=images, boxes=boxes, absent={"test": reason})


def _suites(rules: ValidationRules) -> dict[Suite, dict[Kind, Threshold]]:
    shares = FIXED_TOLERANCE | rules.tolerance.model_dump()
    faults = {kind: Threshold(limit=0.0, share=shares[kind.name]) for kind in FAULTS}
    quality = {kind: Threshold(**rules.quality.model_dump()[kind.name]) for kind in QUALITY}
    return {"faults": faults, "quality": quality}


def _is_finding(result: KindResult) -> bool:
    """Every fault is a finding; quality only if more rows offend than the threshold's share."""
    return result.suite == "faults" or not result.tolerated


def _finding(result: KindResult, audited: Audited) -> Finding:
    kind, threshold = result.kind, result.threshold
    is_error = result.suite == "faults" and not result.tolerated
    return Finding(
        kind=kind.name,
        suite=result.suite,
        severity="error" if is_error else "warning",
        description=kind.description.format(limit=threshold.limit),
        remedy=kind.remedy,
        faq=str(kind.faq),
        unit=kind.table,
        count=len(result.offenders),
        rows=result.rows,
        tolerance=threshold.share,
        parameters=_parameters(result),
        drops=kind.drops,
        offenders=tuple(_offender(kind, row) for row in _worst(result, audited).to_dict("records")),
    )


def _parameters(result: KindResult) -> tuple[str, ...]:
    """Keys of params.yaml that set the finding's threshold."""
    name = result.kind.name
    if result.suite == "quality":
        return f"validate.quality.{name}.limit", f"validate.quality.{name}.share"
    slack = ("validate.slack",) if name in {"coordinate_out_of_range", "box_beyond_image"} else ()
    return () if name in FIXED_TOLERANCE else (f"validate.tolerance.{name}", *slack)


def _worst(result: KindResult, audited: Audited) -> pd.DataFrame:
    """The offenders that are listed: for quality the farthest from the limit first, faults in the order of files."""
    offenders = result.offenders
    if result.suite == "quality":
        accepted = result.kind.accepts(audited, result.threshold.limit)
        if not accepted.none_at_all:
            offenders = offenders.sort_values("value", ascending=accepted.high is None, kind="stable")
    listed = offenders.head(LISTED_OFFENDERS)
    return listed.assign(**result.kind.context(audited, listed.index))


def _offender(kind: Kind, row: Mapping[Hashable, Any]) -> Offender:
    box = tuple(row[column] for column in BOX) if "x" in row else None
    return Offender(
        file=f"{row['split']}: {row['name']}" if kind.table == "classes" else str(row[FILE_COLUMN[kind.table]]),
        line=int(row["line"]) if kind.table == "boxes" else None,
        value=kind.shown.format_map(row),
        image=_path(row, "image"),
        twin=_path(row, "twin"),
        box=None if box is None or pd.isna(list(box)).any() else box,
    )


def _path(row: Mapping[Hashable, Any], column: str) -> str | None:
    path = row.get(column)
    return path if isinstance(path, str) else None


def _clean(data: RawDataset, results: Sequence[KindResult]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The dataset's images and boxes without the rows that faults drop."""
    images, boxes = data.images, data.boxes
    for result in results:
        if result.kind.drops and result.kind.table == "images":
            images = images[~images["image"].isin(result.offenders["image"])]
        elif result.kind.drops and result.kind.table == "boxes":
            boxes = boxes.drop(index=result.offenders.index, errors="ignore")
    boxes = boxes[boxes["image"].isin(images["image"])].astype({"class_id": "int64"})
    images = images.assign(label=images["label"].where(images["label_exists"], ""))
    return images.reset_index(drop=True), boxes.reset_index(drop=True)


def _card(data: RawDataset, manifest: Manifest) -> DatasetCard:
    boxes_of = manifest.boxes.groupby("image", sort=False).size()
    images = manifest.images.assign(boxes=manifest.images["image"].map(boxes_of).fillna(0).astype("int64"))
    by_split = images.groupby("split")["boxes"]
    counts = {str(split): SplitCount(images=len(boxes), boxes=int(boxes.sum())) for split, boxes in by_split}
    return DatasetCard(
        digest=_digest(data.names, images, manifest.boxes),
        names=data.names,
        splits={split: counts[split] for split in data.splits if split in counts},
    )


def _digest(names: tuple[str, ...], images: pd.DataFrame, boxes: pd.DataFrame) -> str:
    """SHA-256 of names, splits, images' names and bytes, and every box in the order of its label file."""
    rows = images[["split", "image", "sha256", "boxes"]].to_numpy().tolist()
    digest = hashlib.sha256(json.dumps([names, rows]).encode())
    digest.update(boxes[["class_id", "x", "y", "w", "h"]].to_numpy("<f8").tobytes())
    return digest.hexdigest()
