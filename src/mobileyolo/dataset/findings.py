"""What validation found, kind by kind, and as text and table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from mobileyolo.core.records import FindingCount, Severity, Suite, ValidationVerdict
from mobileyolo.core.text import printable
from mobileyolo.dataset.finding_kinds import TableName

SHOWN_OFFENDERS = 10
DOCS_RUN = "validation"  # Data Docs' name for a validation


@dataclass(frozen=True)
class Offender:
    """One row that a finding is about."""

    file: str  # below the dataset folder; for a split its name, for a class its split and name
    line: int | None  # 1-based, in a label file
    value: str  # what is wrong with it, in words
    image: str | None = None  # below the dataset folder: a picture that shows it
    box: tuple[float, float, float, float] | None = None  # xywhn, in that image
    twin: str | None = None  # another picture that it is compared with, below the dataset folder


@dataclass(frozen=True)
class Finding:
    """A kind of finding that the dataset has, and the rows that have it, the worst first."""

    kind: str
    suite: Suite
    severity: Severity
    description: str  # what was expected
    remedy: str
    faq: str  # the cause of a low mAP that it belongs to
    unit: TableName  # what a row is
    count: int  # of the rows that have it
    rows: int  # that could have it
    tolerance: float  # a larger share of the rows is an error (faults) or a warning (quality)
    parameters: tuple[str, ...]  # keys of params.yaml that set its threshold
    drops: bool  # are its rows missing from the manifest?
    offenders: tuple[Offender, ...]  # if there are very many, only the first

    @property
    def share(self) -> float:
        """How many of the rows have it, in [0, 1]."""
        return self.count / self.rows


def docs_page(suite: Suite) -> str:
    """Page with a suite's results, below the folder of Data Docs."""
    return f"validations/{suite}/{DOCS_RUN}/latest/dataset.html"


def verdict_of(findings: Iterable[Finding]) -> ValidationVerdict:
    """The findings in numbers, and whether the dataset may be trained on."""
    counts = {
        finding.kind: FindingCount(
            suite=finding.suite,
            severity=finding.severity,
            count=finding.count,
            rows=finding.rows,
            share=finding.share,
            tolerance=finding.tolerance,
        )
        for finding in findings
    }
    return ValidationVerdict(passed=all(count.severity != "error" for count in counts.values()), findings=counts)


def offenders_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """The offenders of every finding: kind, severity, file, line (missing if it has none), value."""
    table = pd.DataFrame(
        [
            (finding.kind, finding.severity, offender.file, offender.line, offender.value)
            for finding in findings
            for offender in finding.offenders
        ],
        columns=["kind", "severity", "file", "line", "value"],
    )
    return table.astype({"line": "Int64"})


def format_findings(findings: Iterable[Finding]) -> str:
    """Findings for the console, errors first. A block for each: what was found and expected, what to do, and where."""
    return "\n".join(_block(finding) for finding in sorted(findings, key=lambda finding: finding.severity))


def _block(finding: Finding) -> str:
    shown = [_place(offender) for offender in finding.offenders[:SHOWN_OFFENDERS]]
    if finding.count > SHOWN_OFFENDERS:
        shown.append(f"and {finding.count - SHOWN_OFFENDERS:,} more")
    lines = [
        f"{finding.severity.upper()} {finding.kind}: {finding.count:,} of {finding.rows:,} {finding.unit} "
        f"({finding.share:.2%}, tolerated up to {finding.tolerance:.2%}){_outcome(finding)}",
        f"  expected: {finding.description}",
        f"  to do: {finding.remedy}",
        f"  why mAP may be low: {finding.faq}{_moved_by(finding)}",
        *(f"    {line}" for line in shown),
    ]
    return "\n".join(lines)


def _moved_by(finding: Finding) -> str:
    return f"; threshold: {' and '.join(finding.parameters)}" if finding.parameters else ""


def _outcome(finding: Finding) -> str:
    if finding.severity == "error" or finding.suite == "quality":
        return ""
    return "; left out" if finding.drops else "; kept"


def _place(offender: Offender) -> str:
    line = "" if offender.line is None else f"{offender.line}:"
    return printable(f"{offender.file}:{line} {offender.value}")
