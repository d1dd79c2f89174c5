"""Datasets as tables, without files: what kinds of finding measure, and which rows offend."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from mobileyolo.core.files import NONE
from mobileyolo.core.records import SPLITS
from mobileyolo.dataset.finding_kinds import Audited, Kind
from mobileyolo.dataset.reading import RawDataset
from mobileyolo.dataset.scanning import FACT_TYPES, LINE_TYPES

Row = dict[str, Any]


def image(stem: str, split: str = "train", **facts: Any) -> Row:
    """A sharp image of medium brightness; images with other names look different."""
    name = f"{split}/{stem}.jpg"
    return {
        "split": split,
        "image": name,
        "label": f"{split}/{stem}.txt",
        "label_exists": True,
        "width": 640,
        "height": 480,
        "bytes": 1,
        "sha256": name,
        "read_error": None,
        "format": "JPEG",
        "pixels": name,
        "dhash": int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big"),
        "brightness": 0.5,
        "contrast": 0.2,
        "sharpness": 1.0,
        **facts,
    }


def box(of: Row, class_id: int = 0, **numbers: Any) -> Row:
    """A box of medium size in the middle of an image."""
    return {
        "image": of["image"],
        "label": of["label"],
        "text": "",
        "parse_error": None,
        "class_id": class_id,
        "x": 0.5,
        "y": 0.5,
        "w": 0.3,
        "h": 0.3,
        "points": 0,
        **numbers,
    }


def audited(
    images: Sequence[Row],
    boxes: Iterable[Row] = (),
    names: tuple[str, ...] = ("cat", "dog"),
    *,
    group: str = NONE,
    shuffled: bool = False,
) -> Audited:
    """The tables of a dataset; lines are numbered, and lines with the same numbers share a key."""
    lines: Counter[str] = Counter()
    rows = []
    for row in boxes:
        lines[row["image"]] += 1
        key = hash(tuple(row[column] for column in ("class_id", "x", "y", "w", "h")))
        rows.append({"line": lines[row["image"]], "key": key, **row})
    images_table = pd.DataFrame(list(images), columns=list(image("a"))).astype(
        {"split": "str", "image": "str", "label": "str", "label_exists": "bool", **FACT_TYPES}
    )
    boxes_table = pd.DataFrame(rows, columns=["image", "label", *LINE_TYPES]).astype(
        {"image": "str", "label": "str", **LINE_TYPES}
    )
    if shuffled:
        images_table, boxes_table = (
            table.sample(frac=1, random_state=1).reset_index(drop=True) for table in (images_table, boxes_table)
        )
    splits = tuple(split for split in SPLITS if split in {"train", "val"} | set(images_table["split"]))
    return Audited(RawDataset(names, splits, images_table, boxes_table, ()), slack=0.01, group=group)


def offenders(kind: Kind, data: Audited, limit: float) -> dict[str, str]:
    """What is shown for each offending row, by its place."""
    table = data.table(kind.table)
    values = kind.measure(data)
    assert values.index.equals(table.index)
    accepted = kind.accepts(data, limit)
    bad = pd.Series(False, index=table.index)
    if accepted.low is not None:
        bad |= values < accepted.low
    if accepted.high is not None:
        bad |= values > accepted.high
    if accepted.above is not None:
        bad |= values <= accepted.above
    rows = table.index[bad]
    if not len(rows):
        return {}
    shown = table.loc[rows].assign(value=values.loc[rows], **kind.context(data, rows))
    records: list[Row] = [dict(zip(shown.columns, row, strict=True)) for row in shown.itertuples(index=False)]
    return {_place(kind, row): kind.shown.format_map(row) for row in records}


def _place(kind: Kind, row: Row) -> str:
    match kind.table:
        case "classes":
            return f"{row['split']}: {row['name']}"
        case "boxes":
            return f"{row['label']}:{row['line']}"
        case _:
            return str(row[{"splits": "split", "labels": "label", "images": "image"}[kind.table]])
