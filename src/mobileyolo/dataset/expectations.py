"""Kinds of finding as expectations of Great Expectations: two suites, and the rows that break an expectation.

Importing this module takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.datasource.fluent.pandas_datasource import PandasDatasource
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import Expectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    MulticolumnMapMetricProvider,
    multicolumn_condition_partial,
)

from mobileyolo.core.records import Suite
from mobileyolo.dataset.data_docs.results import store_results
from mobileyolo.dataset.data_docs.site import write_site
from mobileyolo.dataset.finding_kinds import Accepted, Audited, Kind, TableName, inside

GX_SEVERITIES: dict[Suite, str] = {"faults": "critical", "quality": "warning"}  # Great Expectations' words
BOX = ["x", "y", "w", "h"]
SHOWN_ROWS = 1000  # of each kind in Data Docs, where each row takes a kilobyte


@dataclass(frozen=True)
class Threshold:
    """When rows become a finding.

    limit: of a row's value; 0 if the kind has none.
    share: offending rows are tolerated if they are at most this share.
    """

    limit: float
    share: float


@dataclass(frozen=True)
class KindResult:
    """The result of one kind's expectation.

    rows: how many rows could be judged.
    offenders: the table's rows that break the expectation and, as `value`, what was measured of them.
    tolerated: is the share of offenders no larger than the threshold's share?
    """

    kind: Kind
    suite: Suite
    threshold: Threshold
    rows: int
    offenders: pd.DataFrame
    tolerated: bool


class BoxInImage(MulticolumnMapMetricProvider):
    """A metric over several columns that Great Expectations does not have."""

    condition_metric_name = "multicolumn_values.box_in_image"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")
    condition_value_keys = ("slack",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_list: pd.DataFrame, slack: float, **_: Any) -> pd.Series:  # noqa: N805  # GX's decorator
        return inside(column_list, slack)


class ExpectBoxesToLieInImage(MulticolumnMapExpectation):
    """Expect boxes (xywhn) to reach beyond their image by at most a share of its sides."""

    map_metric = "multicolumn_values.box_in_image"
    success_keys = ("mostly", "slack")
    args_keys = ("column_list", "slack")
    slack: float


def judge(
    audited: Audited,
    suites: Mapping[Suite, Mapping[Kind, Threshold]],
    docs_dir: Path | None = None,
) -> list[KindResult]:
    """Judge a dataset by suites of expectations and, where a folder is given, write Data Docs into it.

    Args:
        audited: The dataset's tables.
        suites: The kinds of each suite with their thresholds; the results come in the same order.
        docs_dir: Folder for Data Docs.

    Raises:
        RuntimeError: an expectation could not be evaluated, which says nothing about the dataset.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("dataset")
    found: dict[Kind, KindResult] = {}
    for name, thresholds in suites.items():
        by_table = []
        # Great Expectations validates one table at a time; our suites have expectations on several.
        for table in dict.fromkeys(kind.table for kind in thresholds):
            judged = _JudgedTable(audited, table, [kind for kind in thresholds if kind.table == table])
            raw = _validated(source, judged, name, audited, thresholds)
            found |= judged.results(name, thresholds, raw)
            by_table.append(raw)
        if docs_dir is not None and by_table:
            store_results(context, name, by_table)
    if docs_dir is not None:
        write_site(context, docs_dir)
    return [found[kind] for thresholds in suites.values() for kind in thresholds]


def _validated(
    source: PandasDatasource,
    judged: _JudgedTable,
    suite: Suite,
    audited: Audited,
    thresholds: Mapping[Kind, Threshold],
) -> ExpectationSuiteValidationResult:
    """What Great Expectations says of one table."""
    name = f"{suite} in {judged.table}"
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all rows")
    expectations = [_expectation(kind, suite, audited, thresholds[kind]) for kind in judged.kinds]
    return batch.get_batch(batch_parameters={"dataframe": judged.frame}).validate(
        gx.ExpectationSuite(name, expectations=expectations),
        result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
    )


class _JudgedTable:
    """A table, and a frame with what was measured of its rows: a column for each kind, NaN where nothing is judged."""

    def __init__(self, audited: Audited, table: TableName, kinds: Sequence[Kind]) -> None:
        self.table = table
        self.kinds = kinds
        self._rows = audited.table(table).reset_index(drop=True)
        values = {kind.name: _filled(kind.measure(audited), kind.accepts(audited, 0)) for kind in kinds}
        frame = pd.DataFrame({name: column.to_numpy() for name, column in values.items()})
        # The columns of the expectation for boxes, of the rows that are judged.
        for kind in kinds:
            if kind.accepts(audited, 0).box_slack is not None:
                frame = frame.assign(**{column: self._rows[column].where(frame[kind.name].notna()) for column in BOX})
        self.frame = frame

    def results(
        self, suite: Suite, thresholds: Mapping[Kind, Threshold], raw: ExpectationSuiteValidationResult
    ) -> dict[Kind, KindResult]:
        """What Great Expectations found, by kind; what is too much for a page is cut from `raw`."""
        by_name = {one.expectation_config.meta["kind"]: one for one in raw.results}
        return {kind: self._result(suite, kind, thresholds[kind], by_name[kind.name]) for kind in self.kinds}

    def _result(self, suite: Suite, kind: Kind, threshold: Threshold, raw: ExpectationValidationResult) -> KindResult:
        # An expectation that crashed has success False too; its exceptions stand under the ids of metrics.
        if raw.exception_info.get("raised_exception") is not False:
            raise RuntimeError(f"Great Expectations could not evaluate {kind.name}: {raw.exception_info}")
        positions = raw.result.get("unexpected_index_list") or []
        offenders = self._rows.iloc[positions].assign(value=self.frame[kind.name].iloc[positions])
        self._cut_for_page(raw, offenders)
        judged = int(self.frame[kind.name].notna().sum())
        return KindResult(kind, suite, threshold, judged, offenders, bool(raw.success))

    def _cut_for_page(self, raw: ExpectationValidationResult, offenders: pd.DataFrame) -> None:
        """Leave the first SHOWN_ROWS in the result, and name rows by their file and line, not by their position."""
        for key in ("unexpected_list", "unexpected_index_list"):
            if key in raw.result:
                raw.result[key] = raw.result[key][:SHOWN_ROWS]
        if len(offenders):
            raw.result["unexpected_index_list"] = _places(self.table, offenders.head(SHOWN_ROWS)).tolist()


def _filled(values: pd.Series, accepted: Accepted) -> pd.Series:
    """The values, with "" for a missing one where any value at all offends: Great Expectations skips missing values."""
    return values.astype(object).where(values.notna(), "") if accepted.none_at_all else values


def _places(table: TableName, rows: pd.DataFrame) -> pd.Series:
    """Where each row is found, in words."""
    match table:
        case "splits":
            return rows["split"]
        case "classes":
            return rows["split"] + ": " + rows["name"]
        case "labels":
            return rows["label"]
        case "images":
            return rows["split"] + ": " + rows["image"]
        case "boxes":
            return rows["label"] + ":" + rows["line"].astype(str)


def _expectation(kind: Kind, suite: Suite, audited: Audited, threshold: Threshold) -> Expectation:
    accepted = kind.accepts(audited, threshold.limit)
    common: dict[str, Any] = {
        "mostly": round(1 - threshold.share, 12),  # 1 - 0.7 is a little more than 0.3
        "description": kind.description.format(limit=threshold.limit),
        "severity": GX_SEVERITIES[suite],
        "meta": {"kind": kind.name, "answers": str(kind.faq), "to do": kind.remedy},
    }
    if accepted.box_slack is not None:
        return ExpectBoxesToLieInImage(column_list=BOX, slack=accepted.box_slack, **common)
    if accepted.none_at_all:
        return gxe.ExpectColumnValuesToBeInSet(column=kind.name, value_set=[""], **common)
    if accepted.above is not None:
        common |= {"min_value": accepted.above, "strict_min": True}
    elif accepted.low is not None:
        common |= {"min_value": accepted.low}
    if accepted.high is not None:
        common |= {"max_value": accepted.high}
    return gxe.ExpectColumnValuesToBeBetween(column=kind.name, **common)
