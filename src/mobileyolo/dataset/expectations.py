"""Kinds of finding as Great Expectations: two suites, their Data Docs, and the rows that broke an expectation.

Importing it takes seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import Expectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    MulticolumnMapMetricProvider,
    multicolumn_condition_partial,
)

from mobileyolo.core.records import Suite
from mobileyolo.dataset.findings import DOCS_RUN
from mobileyolo.dataset.kinds import Accepted, Audited, Kind, Table, inside

SEVERITIES: dict[Suite, str] = {"faults": "critical", "quality": "warning"}  # Great Expectations' words
BOX = ["x", "y", "w", "h"]
SHOWN_ROWS = 1000  # of each kind in Data Docs, whose every row costs a kilobyte


@dataclass(frozen=True)
class Threshold:
    """Where a kind of finding begins.

    limit: of a row's value; 0 where the kind has none.
    share: of the rows, up to which offending ones are let through.
    """

    limit: float
    share: float


@dataclass(frozen=True)
class Outcome:
    """What one expectation found.

    rows: how many rows it could judge.
    offenders: the table's rows that broke it and, as `value`, what was measured of them.
    tolerated: are the offenders a share of the rows that is let through?
    """

    kind: Kind
    suite: Suite
    threshold: Threshold
    rows: int
    offenders: pd.DataFrame
    tolerated: bool


class BoxInImage(MulticolumnMapMetricProvider):
    """Great Expectations knows no relation like this one between columns."""

    condition_metric_name = "multicolumn_values.box_in_image"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")
    condition_value_keys = ("slack",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_list: pd.DataFrame, slack: float, **_: Any) -> pd.Series:  # noqa: N805  # GX's decorator
        return inside(column_list, slack)


class ExpectBoxesToLieInImage(MulticolumnMapExpectation):
    """Expect boxes (xywhn) to stick out of their image by no more than a share of its sides."""

    map_metric = "multicolumn_values.box_in_image"
    success_keys = ("mostly", "slack")
    args_keys = ("column_list", "slack")
    slack: float


def check(
    audited: Audited,
    suites: Mapping[Suite, Mapping[Kind, Threshold]],
    docs_dir: Path | None = None,
) -> list[Outcome]:
    """Check a dataset against suites of expectations and, where a folder is given, write Data Docs into it.

    Args:
        audited: The dataset's tables.
        suites: For each suite its kinds, in the order of the outcomes, and where each of them begins.
        docs_dir: Folder for Data Docs.

    Raises:
        RuntimeError: an expectation could not be evaluated, which says nothing about the dataset.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("dataset")
    outcomes = []
    for name, thresholds in suites.items():
        results = []
        for table in dict.fromkeys(kind.table for kind in thresholds):
            # Great Expectations judges one table at a time; a suite is one of expectations on several.
            judged = _Judged(audited, table, [kind for kind in thresholds if kind.table == table])
            expectations = [_expectation(kind, name, audited, thresholds[kind]) for kind in judged.kinds]
            batch = source.add_dataframe_asset(f"{name} in {table}").add_batch_definition_whole_dataframe("all rows")
            result = batch.get_batch(batch_parameters={"dataframe": judged.frame}).validate(
                gx.ExpectationSuite(f"{name} in {table}", expectations=expectations),
                result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
            )
            by_kind = {one.expectation_config.meta["kind"]: one for one in result.results}
            for kind in judged.kinds:
                outcomes.append(judged.outcome(name, kind, thresholds[kind], by_kind[kind.name]))
            results.append(result)
        if docs_dir is not None and results:
            _store(context, name, results)
    if docs_dir is not None:
        _write_docs(context, docs_dir)
    order = [kind for thresholds in suites.values() for kind in thresholds]
    return sorted(outcomes, key=lambda outcome: order.index(outcome.kind))


class _Judged:
    """A table with what was measured of its rows: a column a kind, missing where there is nothing to judge."""

    def __init__(self, audited: Audited, table: Table, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        self._table = audited.table(table).reset_index(drop=True)
        values = {kind.name: _filled(kind.measure(audited), kind.accepts(audited, 0)) for kind in kinds}
        frame = pd.DataFrame({name: column.to_numpy() for name, column in values.items()})
        self.frame = frame.assign(**{column: self._table[column] for column in BOX if table == "boxes"})

    def outcome(self, suite: Suite, kind: Kind, threshold: Threshold, result: ExpectationValidationResult) -> Outcome:
        """What was found; in the result, rows are then named for people and not too many for a page."""
        # One that crashed has success False as well; its exceptions then stand under the ids of metrics.
        if result.exception_info.get("raised_exception") is not False:
            raise RuntimeError(f"Great Expectations could not evaluate {kind.name}: {result.exception_info}")
        positions = result.result.get("unexpected_index_list") or []
        offenders = self._table.iloc[positions].assign(value=self.frame[kind.name].iloc[positions])
        for key in ("unexpected_list", "unexpected_index_list"):
            if key in result.result:
                result.result[key] = result.result[key][:SHOWN_ROWS]
        if positions:
            result.result["unexpected_index_list"] = _places(kind.table, offenders.head(SHOWN_ROWS)).tolist()
        judged = int(self.frame[kind.name].notna().sum())
        return Outcome(kind, suite, threshold, judged, offenders, bool(result.success))


def _filled(values: pd.Series, accepted: Accepted) -> pd.Series:
    """Where no value at all is accepted, its absence has been judged too."""
    return values.astype(object).where(values.notna(), "") if accepted.none_at_all else values


def _places(table: Table, rows: pd.DataFrame) -> pd.Series:
    """A text for each row that leads a person to it."""
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
        "severity": SEVERITIES[suite],
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


def _store(context: EphemeralDataContext, name: Suite, parts: Sequence[ExpectationSuiteValidationResult]) -> None:
    """Put a suite and its results where Data Docs are built from."""
    results = [result for part in parts for result in part.results]
    for result in results:
        result.result = _escaped(result.result)
    expectations = [result.expectation_config.to_domain_obj() for result in results]
    context.suites.add(gx.ExpectationSuite(name, expectations=expectations))
    passed = sum(bool(result.success) for result in results)
    run = RunIdentifier(run_name=DOCS_RUN, run_time=datetime.now(UTC))
    suite = ExpectationSuiteIdentifier(name)
    meta = {**parts[0].meta, "run_id": run, "validation_time": run.run_time}
    meta["active_batch_definition"] = {**meta["active_batch_definition"], "data_asset_name": "dataset"}
    context.validation_results_store.store_validation_results(
        ExpectationSuiteValidationResult(
            success=passed == len(results),
            results=results,
            suite_name=name,
            statistics={
                "evaluated_expectations": len(results),
                "successful_expectations": passed,
                "unsuccessful_expectations": len(results) - passed,
                "success_percent": 100 * passed / len(results) if results else None,
            },
            meta=meta,
        ),
        ValidationResultIdentifier(suite, run, "dataset"),
        suite,
    )


def _escaped(value: Any) -> Any:
    """Names and lines of a dataset as text for HTML: Great Expectations 1 puts into its pages what it is given."""
    if isinstance(value, Mapping):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return escape(value) if isinstance(value, str) else value


def _write_docs(context: EphemeralDataContext, folder: Path) -> None:
    """Write the suites and their results as HTML, beginning at index.html, in the place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
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
    # Pages lie under the time of the run; a name that stays lets others link to them.
    for run in folder.glob(f"validations/*/{DOCS_RUN}/*"):
        for page in folder.rglob("*.html"):
            page.write_text(page.read_text(encoding="utf-8").replace(f"/{run.name}/", "/latest/"), encoding="utf-8")
        run.rename(run.with_name("latest"))
