"""The comparison as sentences and tables, for the page, for Markdown and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.shared.cells import Table, console, markdown
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison, CostRatio

METRIC_NAMES = {"map50_95": "mAP50-95", "map50": "mAP50", "precision": "precision", "recall": "recall"}
COST_NAMES = {
    "latency_ms": "latency, PyTorch",
    "latency_onnx_ms": "latency, ONNX Runtime",
    "gflops": "GFLOPs",
    "parameters": "parameters",
    "weights_mb": "weights",
}
VERDICT_MARKS = {"better": "🟢", "worse": "🔴", "inconclusive": "🟡"}


def arm_names(comparison: Comparison) -> tuple[str, str]:
    """Names of baseline and candidate: their backbones, with the arm if both are the same."""
    baseline, candidate = comparison.baseline.backbone, comparison.candidate.backbone
    if baseline == candidate:
        return f"{baseline} (baseline)", f"{candidate} (candidate)"
    return baseline, candidate


def question(comparison: Comparison) -> str:
    """The question that the comparison answers."""
    baseline, candidate = arm_names(comparison)
    width = comparison.candidate.width
    aside = "" if width is None else f", MobileNetV1 at width {width:g},"
    return f"Is {candidate}{aside} a better backbone than {baseline} for YOLO11 on this data?"


def headline(comparison: Comparison) -> str:
    """The answer in a few words."""
    baseline, candidate = arm_names(comparison)
    lead = f"{abs(comparison.metrics[DECIDING_METRIC].delta):.3f} mAP50-95"
    return {
        "better": f"Yes: {candidate} gains {lead} over {baseline}.",
        "worse": f"No: {candidate} loses {lead} to {baseline}.",
        "inconclusive": f"Undecided: neither {candidate} nor {baseline} is shown to be better.",
    }[comparison.verdict]


def cost_sentence(comparison: Comparison) -> str:
    """The candidate's cost in proportion to the baseline's."""
    baseline, candidate = arm_names(comparison)
    ratios = {name: f"{cost.ratio:.2f} times" for name, cost in comparison.costs.items()}
    return (
        f"{candidate} has {ratios['parameters']} the parameters, {ratios['gflops']} the GFLOPs and "
        f"{ratios['latency_ms']} the latency of {baseline} in PyTorch, {ratios['latency_onnx_ms']} in ONNX Runtime."
    )


def metric_table(comparison: Comparison) -> Table:
    """Every metric of both arms, with the difference's interval and verdict."""
    rows = []
    for key, name in METRIC_NAMES.items():
        metric = comparison.metrics[key]
        interval = f"{metric.low:+.3f} to {metric.high:+.3f}"
        numbers = (f"{metric.baseline:.3f}", f"{metric.candidate:.3f}", f"{metric.delta:+.3f}", interval)
        rows.append((name, *numbers, metric.verdict))
    header = ("metric", *arm_names(comparison), "difference", f"{comparison.confidence:.0%} interval", "verdict")
    return Table(header, "lrrrrl", tuple(rows))


def cost_table(comparison: Comparison) -> Table:
    """Every cost of both arms, and their ratio."""
    rows = []
    for key, name in COST_NAMES.items():
        cost = comparison.costs[key]
        rows.append((name, _cost(key, cost.baseline), _cost(key, cost.candidate), _ratio(cost)))
    return Table(("cost", *arm_names(comparison), "ratio"), "lrrr", tuple(rows))


def _cost(key: str, value: float) -> str:
    units = {"parameters": (1e6, " M"), "gflops": (1, ""), "weights_mb": (1, " MB")}
    scale, unit = units.get(key, (1, " ms"))
    return f"{value / scale:.2f}{unit}"


def _ratio(cost: CostRatio) -> str:
    spread = "" if cost.low is None else f" ({cost.low:.2f} to {cost.high:.2f})"
    return f"{cost.ratio:.2f}{spread}"


def start_table(comparison: Comparison) -> Table | None:
    """What each arm starts from and who teaches it; None where both start at random and nobody teaches."""
    arms = comparison.baseline, comparison.candidate
    if not any(arm.start.sources or any(teacher.digest for teacher in arm.teachers) for arm in arms):
        return None
    rows = []
    for name, arm in zip(arm_names(comparison), arms, strict=True):
        start = arm.start
        sources = ", ".join(source.name for source in start.sources.values()) or "random weights"
        tensors, values = f"{start.tensors} of {start.of_tensors}", _millions(start.values, start.of_values)
        taught = ", ".join(dict.fromkeys(teacher.name for teacher in arm.teachers))
        rows.append((name, sources, tensors, values, taught))
    return Table(("model", "starts from", "tensors", "values", "taught by"), "llrrl", tuple(rows))


def _millions(part: int, whole: int) -> str:
    return f"{part / 1e6:.2f} of {whole / 1e6:.2f} M"


def class_table(comparison: Comparison, baseline: Sequence[ArmResult], candidate: Sequence[ArmResult]) -> Table:
    """mAP50-95 of each labelled class, means over the seeds, the largest loss of the candidate first."""
    means = [
        pd.concat([result.statistics.per_class for result in arm]).groupby("class_id")["map50_95"].mean()
        for arm in (baseline, candidate)
    ]
    classes = baseline[0].statistics.per_class.set_index("class_id")
    lead = (means[1] - means[0]).sort_values(kind="stable")
    rows = [
        (
            str(classes["name"][class_id]),
            str(classes["images"][class_id]),
            str(classes["boxes"][class_id]),
            f"{means[0][class_id]:.3f}",
            f"{means[1][class_id]:.3f}",
            f"{lead[class_id]:+.3f}",
        )
        for class_id in lead.index
    ]
    return Table(("class", "images", "boxes", *arm_names(comparison), "difference"), "lrrrrr", tuple(rows))


def console_report(comparison: Comparison) -> str:
    """The answer for a terminal."""
    tables = (metric_table(comparison), cost_table(comparison), start_table(comparison))
    return "\n\n".join((headline(comparison), comparison.reason, *(console(each) for each in tables if each)))


def summary(comparison: Comparison, baseline: Sequence[ArmResult], candidate: Sequence[ArmResult]) -> str:
    """The Markdown report that a CI job shows."""
    return "\n\n".join(
        (
            f"## {VERDICT_MARKS[comparison.verdict]} {headline(comparison)}",
            f"Verdict: **{comparison.verdict}**. {comparison.reason}",
            markdown(metric_table(comparison)),
            cost_sentence(comparison),
            markdown(cost_table(comparison)),
            f"Latencies: {comparison.timing}; medians, and of the ratio within a round also the quartiles.",
            *([markdown(start)] if (start := start_table(comparison)) else []),
            "<details><summary>Per class, mAP50-95</summary>",
            markdown(class_table(comparison, baseline, candidate)),
            "</details>\n",
        )
    )
