"""Results of a suite -> the stores that Data Docs are built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import great_expectations as gx
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

from mobileyolo.core.records import Suite
from mobileyolo.dataset.findings import DOCS_RUN

ASSET = "dataset"  # Great Expectations' name for what was validated


def store_results(
    context: EphemeralDataContext, name: Suite, by_table: Sequence[ExpectationSuiteValidationResult]
) -> None:
    """Store a suite and its results, so that both become pages of Data Docs.

    Args:
        context: Great Expectations' context, whose stores are filled.
        name: The suite.
        by_table: Its results; Great Expectations validates one table at a time, and Data Docs show all tables of a
            suite on one page.
    """
    results = [result for part in by_table for result in part.results]
    for result in results:
        result.result = _escaped(result.result)
    expectations = [result.expectation_config.to_domain_obj() for result in results]
    context.suites.add(gx.ExpectationSuite(name, expectations=expectations))
    run = RunIdentifier(run_name=DOCS_RUN, run_time=datetime.now(UTC))
    suite = ExpectationSuiteIdentifier(name)
    context.validation_results_store.store_validation_results(
        _merged(name, results, by_table[0].meta, run), ValidationResultIdentifier(suite, run, ASSET), suite
    )


def _merged(
    name: Suite, results: list[ExpectationValidationResult], meta: Mapping[str, Any], run: RunIdentifier
) -> ExpectationSuiteValidationResult:
    """The results of all tables as those of one validation; `meta` is that of any table's results."""
    passed = sum(bool(result.success) for result in results)
    batch = {**meta["active_batch_definition"], "data_asset_name": ASSET}
    return ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=results,
        suite_name=name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100 * passed / len(results) if results else None,
        },
        meta={**meta, "run_id": run, "validation_time": run.run_time, "active_batch_definition": batch},
    )


def _escaped(value: Any) -> Any:
    """Escape names and lines of a dataset for HTML: Great Expectations 1 puts them into its pages as they are."""
    if isinstance(value, Mapping):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return escape(value) if isinstance(value, str) else value
