"""The comparison in short: for a terminal, and as Markdown for a pull request or a CI job."""

from __future__ import annotations

from mobileyolo.reporting.comparison import tables, words
from mobileyolo.reporting.shared.cells import console, markdown
from mobileyolo.reporting.shared.languages import ENGLISH
from mobileyolo.verdict import sentences
from mobileyolo.verdict.records import Comparison

MARKS = {
    "better": "🟢",
    "no-worse": "🟢",
    "equivalent": "🔵",
    "no-better": "🟠",
    "worse": "🔴",
    "inconclusive": "🟡",
    "grey": "⚪",
}


def console_report(comparison: Comparison) -> str:
    """The answer for a terminal."""
    shown = (
        tables.metric_table(comparison, ENGLISH),
        tables.deployed_table(comparison, ENGLISH),
        tables.error_table(comparison, ENGLISH),
        tables.cost_table(comparison, ENGLISH),
        tables.start_table(comparison, ENGLISH),
    )
    return "\n\n".join((*_said(comparison), *(console(each) for each in shown if each)))


def markdown_summary(comparison: Comparison) -> str:
    """The Markdown report that a CI job shows."""
    mark, verdict = words.badge(comparison, ENGLISH)
    headline, *said = _said(comparison)
    provisional = ", provisional" if comparison.provisional else ""
    start = tables.start_table(comparison, ENGLISH)
    circumstances = words.latency_circumstances(comparison, ENGLISH)
    return "\n\n".join(
        (
            f"## {MARKS[mark]} {headline}",
            f"Verdict: **{verdict}**{provisional}. {said[0]}",
            *said[1:],
            markdown(tables.metric_table(comparison, ENGLISH)),
            markdown(tables.cost_table(comparison, ENGLISH)),
            f"Latencies: {circumstances}; medians, with the interval of the median ratio within a round.",
            *([markdown(start)] if start else []),
            "<details><summary>By kind of error, AP50</summary>",
            markdown(tables.error_table(comparison, ENGLISH)),
            "</details>",
            "<details><summary>Per class, mAP50-95</summary>",
            markdown(tables.class_table(comparison, ENGLISH)),
            "</details>\n",
        )
    )


def _said(comparison: Comparison) -> list[str]:
    """The same sentences as on the page: headline, reason, how sure, why, cost, and what would settle it."""
    return [
        sentences.headline(comparison, ENGLISH),
        comparison.reason,
        sentences.certainty(comparison, ENGLISH),
        words.error_sentence(comparison, ENGLISH),
        sentences.cost(comparison, ENGLISH),
        sentences.settling(comparison, ENGLISH),
    ]
