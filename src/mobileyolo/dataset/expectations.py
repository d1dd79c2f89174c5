"""What is expected of a dataset, one row a kind of fault, checked by Great Expectations. Importing it takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context import EphemeralDataContext
from great_expectations.expectations.expectation import ColumnMapExpectation

from mobileyolo.dataset.reading import RawDataset

Table = Literal["splits", "images", "boxes"]

# What names a row, in Data Docs too.
KEYS: dict[Table, list[str]] = {
    "splits": ["split"],
    "images": ["split", "image"],
    "boxes": ["image", "label", "line"],
}
SLACK = 0.01  # of the image's side: as much as Ultralytics 8.4 grants to each number; rounding needs some


@dataclass(frozen=True)
class Kind:
    """A kind of fault: which expectation finds it, in which column.

    A row's value in the column is missing where another fault leaves nothing to judge; such rows don't count.
    """

    name: str
    table: Table
    column: str
    derive: Callable[[pd.DataFrame], pd.Series]  # the table -> the column
    expectation: type[ColumnMapExpectation]
    description: str
    remedy: str
    shown: str  # format of the offending value, over the columns of its row
    drops: bool  # are offending rows that the tolerance lets through left out of the manifest?
    limits: Callable[[RawDataset], Mapping[str, Any]] = field(default=lambda _: {})  # the expectation's arguments


def _first_mention(images: pd.DataFrame) -> pd.Series:
    """A file that two splits name has its faults but once."""
    return ~images["image"].duplicated()


def _read_error(images: pd.DataFrame) -> pd.Series:
    return images["read_error"].where(_first_mention(images), None)


def _has_label(images: pd.DataFrame) -> pd.Series:
    judged = images["read_error"].isna() & _first_mention(images)
    return images["label_exists"].astype(object).where(judged, None)


def _same_as(images: pd.DataFrame) -> pd.Series:
    """The image of an earlier split that has the same bytes."""
    readable = images[images["read_error"].isna()]
    first = readable.drop_duplicates("sha256").set_index("sha256")
    split, image = (readable["sha256"].map(first[column]) for column in ("split", "image"))
    return (split + " as " + image).where(split != readable["split"]).reindex(images.index)


def _in_image(boxes: pd.DataFrame) -> pd.Series:
    """Do the box's edges lie in the image, and are its sizes no less than 0?"""
    inside = (boxes["w"] >= 0) & (boxes["h"] >= 0)
    for centre, size in (("x", "w"), ("y", "h")):
        inside &= boxes[centre] - boxes[size] / 2 >= -SLACK
        inside &= boxes[centre] + boxes[size] / 2 <= 1 + SLACK
    return inside.astype(object).where(boxes["parse_error"].isna(), None)


def _shorter_side(boxes: pd.DataFrame) -> pd.Series:
    return boxes[["w", "h"]].min(axis=1).where(_in_image(boxes).eq(True))


def _first_line(boxes: pd.DataFrame) -> pd.Series:
    """The earlier line of the same label file that has the same numbers."""
    first = boxes.groupby(["image", "values"])["line"].transform("min")
    return first.where(first < boxes["line"])


KINDS = (
    Kind(
        name="empty_split",
        table="splits",
        column="readable",
        derive=lambda splits: splits["readable"],
        expectation=gxe.ExpectColumnValuesToBeBetween,
        limits=lambda _: {"min_value": 1},
        description="Training, validation and, where it is declared, test each have at least one readable image.",
        remedy="check the split's folder in data.yaml, and move some images there",
        shown="{images} images, none readable",
        drops=False,
    ),
    Kind(
        name="unreadable_image",
        table="images",
        column="image_error",
        derive=_read_error,
        expectation=gxe.ExpectColumnValuesToBeNull,
        description="Every image decodes to its last pixel.",
        remedy="export or download the image again, or delete it with its label",
        shown="{read_error}",
        drops=True,
    ),
    Kind(
        name="missing_label",
        table="images",
        column="has_label",
        derive=_has_label,
        expectation=gxe.ExpectColumnValuesToBeInSet,
        limits=lambda _: {"value_set": [True]},
        description="Every image has a label file.",
        remedy="add the label file; an image without objects has an empty one",
        shown="no {label}; counts as background",
        drops=False,
    ),
    Kind(
        name="image_in_two_splits",
        table="images",
        column="same_as",
        derive=_same_as,
        expectation=gxe.ExpectColumnValuesToBeNull,
        description="No image is in two splits, not even under another name.",
        remedy="delete it from one of them: a model must not be measured on what it has learnt",
        shown="in {split}, and in {same_as}",
        drops=False,
    ),
    Kind(
        name="malformed_line",
        table="boxes",
        column="parse_error",
        derive=lambda boxes: boxes["parse_error"],
        expectation=gxe.ExpectColumnValuesToBeNull,
        description="Every label line is `class x y w h`, or a class and the points of a polygon.",
        remedy="correct or delete the line",
        shown="{parse_error}: {text!r:.80}",
        drops=True,
    ),
    Kind(
        name="class_out_of_range",
        table="boxes",
        column="class_id",
        derive=lambda boxes: boxes["class_id"],
        expectation=gxe.ExpectColumnValuesToBeBetween,
        limits=lambda data: {"min_value": 0, "max_value": len(data.names) - 1},
        description="Every class id has a name: ids count from 0.",
        remedy="correct the id, or add the class to the names",
        shown="class {class_id:g}",
        drops=True,
    ),
    Kind(
        name="coordinate_out_of_range",
        table="boxes",
        column="in_image",
        derive=_in_image,
        expectation=gxe.ExpectColumnValuesToBeInSet,
        limits=lambda _: {"value_set": [True]},
        description=f"Every box lies in its image, give or take {SLACK:.0%} of its sides, the unit of coordinates.",
        remedy="divide pixels by the image's width and height, or clip the box to the image",
        shown="x {x:g}, y {y:g}, w {w:g}, h {h:g}",
        drops=True,
    ),
    Kind(
        name="zero_size_box",
        table="boxes",
        column="shorter_side",
        derive=_shorter_side,
        expectation=gxe.ExpectColumnValuesToBeBetween,
        limits=lambda _: {"min_value": 0, "strict_min": True},
        description="Every box has a width and a height above 0.",
        remedy="draw the box again or delete the line",
        shown="w {w:g}, h {h:g}",
        drops=True,
    ),
    Kind(
        name="duplicate_box",
        table="boxes",
        column="first_line",
        derive=_first_line,
        expectation=gxe.ExpectColumnValuesToBeNull,
        description="No label file has the same line twice.",
        remedy="delete all but one of the lines",
        shown="the same as line {first_line:g}: {text!r:.80}",
        drops=True,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What one expectation found.

    rows: how many rows it could judge.
    offenders: the table's rows that broke it, with the derived columns.
    tolerated: are the offenders a share of the rows that its tolerance lets through?
    """

    kind: Kind
    rows: int
    offenders: pd.DataFrame
    tolerated: bool


def check(data: RawDataset, tolerance: Mapping[str, float], docs_dir: Path | None = None) -> list[Outcome]:
    """Check a dataset against every kind of fault and, where a folder is given, write Data Docs into it.

    Args:
        data: The dataset as read.
        tolerance: Share of rows up to which a kind is let through, by the kind's name; 0 where it is not named.
        docs_dir: Folder for Data Docs.

    Raises:
        RuntimeError: an expectation could not be evaluated, which says nothing about the dataset.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("dataset")
    outcomes = []
    for name, table in _tables(data).items():
        kinds = {kind.name: kind for kind in KINDS if kind.table == name}
        table = table.assign(**{kind.column: kind.derive(table) for kind in kinds.values()})
        suite = gx.ExpectationSuite(name, expectations=[_expectation(k, data, tolerance) for k in kinds.values()])
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all rows")
        definition = gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(suite))
        results = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": table},
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": KEYS[name],
                "return_unexpected_index_query": False,
            },
        )
        for result in results.results:
            kind = kinds[result.expectation_config.meta["kind"]]
            outcomes.append(_outcome(kind, table, result))
    if docs_dir is not None:
        _write_docs(context, docs_dir)
    return sorted(outcomes, key=lambda outcome: KINDS.index(outcome.kind))


def _tables(data: RawDataset) -> dict[Table, pd.DataFrame]:
    readable = data.images["read_error"].isna()
    needed = ["train", "val", *(["test"] if "test" in data.splits else [])]
    splits = pd.DataFrame(
        {
            "split": needed,
            "images": [int((data.images["split"] == split).sum()) for split in needed],
            "readable": [int((readable & (data.images["split"] == split)).sum()) for split in needed],
        }
    )
    return {"splits": splits, "images": data.images, "boxes": data.boxes}


def _expectation(kind: Kind, data: RawDataset, tolerance: Mapping[str, float]) -> ColumnMapExpectation:
    return kind.expectation(
        column=kind.column,
        mostly=round(1 - tolerance.get(kind.name, 0), 12),  # 1 - 0.7 is a little more than 0.3
        description=kind.description,
        meta={"kind": kind.name},
        **kind.limits(data),
    )


def _outcome(kind: Kind, table: pd.DataFrame, result: ExpectationValidationResult) -> Outcome:
    # One that crashed has success False as well; its exceptions then stand under the ids of metrics.
    if result.exception_info.get("raised_exception") is not False:
        raise RuntimeError(f"Great Expectations could not evaluate {kind.name}: {result.exception_info}")
    keys = KEYS[kind.table]
    found = pd.MultiIndex.from_frame(pd.DataFrame(result.result["unexpected_index_list"], columns=keys))
    return Outcome(
        kind=kind,
        rows=result.result["element_count"] - result.result.get("missing_count", 0),
        offenders=table[pd.MultiIndex.from_frame(table[keys]).isin(found)],
        tolerated=result.success,
    )


def _write_docs(context: EphemeralDataContext, folder: Path) -> None:
    """Write the suites and their results as HTML, beginning at index.html."""
    context.add_data_docs_site(
        "dataset",
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder.resolve()),  # a relative one would start at a folder of its own
            },
        },
    )
    context.build_data_docs(site_names=["dataset"])
