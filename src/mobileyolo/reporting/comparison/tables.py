"""The comparison as tables, for the page, for Markdown and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.records import DEPLOYED_METRICS
from mobileyolo.core.results import ArmResult
from mobileyolo.reporting.comparison import words
from mobileyolo.reporting.comparison.inputs import Results
from mobileyolo.reporting.shared.cells import Table
from mobileyolo.reporting.shared.languages import Translate
from mobileyolo.verdict.records import Comparison
from mobileyolo.verdict.sentences import names, teacher

NOTHING = "–"  # in place of a number that does not exist


def metric_table(comparison: Comparison, _: Translate) -> Table:
    """Every metric that needs no confidence, with the interval of its difference and its verdict."""
    verdicts = words.verdict_names(_)
    rows, marks = [], []
    for key, name in words.METRIC_NAMES.items():
        metric = comparison.metrics[key]
        numbers = (f"{metric.baseline:.3f}", f"{metric.candidate:.3f}", f"{metric.delta:+.3f}")
        rows.append((name, *numbers, words.interval(metric, _), verdicts[metric.verdict] if metric.verdict else ""))
        marks.append(words.style(metric.verdict) if metric.verdict else "")
    header = (_("metric"), *_differences(comparison, _), _("verdict"))
    return Table(header, "lrrrrl", tuple(rows), tuple(marks))


def deployed_table(comparison: Comparison, _: Translate) -> Table:
    """Precision, recall and F1 over all boxes, at the confidence chosen on val."""
    rows = []
    for key, name in words.deployed_names(_).items():
        metric = comparison.deployed[key]
        found = metric.interval
        difference = (NOTHING, NOTHING) if found is None else (f"{found.delta:+.3f}", words.interval(found, _))
        rows.append((name, _number(metric.baseline), _number(metric.candidate), *difference))
    return Table((_("metric"), *_differences(comparison, _)), "lrrrr", tuple(rows))


def confidence_table(comparison: Comparison, _: Translate) -> Table:
    """The confidence to deploy each model with."""
    rows = tuple(
        (name, *(f"{confidence:.3f}" for confidence in arm.confidences))
        for name, arm in zip(names(comparison, _), (comparison.baseline, comparison.candidate), strict=True)
    )
    header = (_("confidence to deploy with"), *(_("seed {seed}").format(seed=seed) for seed in comparison.seeds))
    return Table(header, "l" + "r" * len(comparison.seeds), rows)


def cost_table(comparison: Comparison, _: Translate) -> Table:
    """Every cost of both arms, and their ratio; latencies first."""
    keys = sorted(comparison.costs, key=lambda key: not key.startswith("latency"))
    rows = []
    for key in keys:
        cost = comparison.costs[key]
        costs = (_cost(key, value) for value in (cost.baseline, cost.candidate))
        rows.append((words.cost_name(key, cost, _), *costs, words.ratio(cost, _)))
    return Table((_("cost"), *names(comparison, _), _("ratio")), "lrrr", tuple(rows))


def _cost(key: str, value: float) -> str:
    units = {"parameters": (1e6, " M"), "gflops": (1, ""), "weights_mb": (1, " MB")}
    scale, unit = units.get(key, (1, " ms"))
    return f"{value / scale:.2f}{unit}"


def error_table(comparison: Comparison, _: Translate) -> Table:
    """What each kind of error costs, and how many errors of it each model makes."""
    kinds = words.error_names(_)
    rows = tuple(
        (
            kinds[each.kind],
            *(f"{cost:.3f}" for cost in (each.baseline, each.candidate)),
            f"{each.delta:+.3f}",
            words.interval(each, _),
            *(f"{count:,.0f}" for count in (each.baseline_count, each.candidate_count)),
        )
        for each in comparison.errors
    )
    counts = (_("errors of {model}").format(model=name) for name in names(comparison, _))
    return Table((_("AP50 lost by"), *_differences(comparison, _), *counts), "lrrrrrr", rows)


def class_table(comparison: Comparison, _: Translate) -> Table:
    """mAP50-95 of each labelled class, the largest loss of the candidate first."""
    rare = comparison.guards.rare_classes
    rows = tuple(
        (
            _("{name} (rare)").format(name=each.name) if each.name in rare else each.name,
            f"{each.images:,}",
            f"{each.boxes:,}",
            f"{each.baseline:.3f}",
            f"{each.candidate:.3f}",
            f"{each.delta:+.3f}",
            words.interval(each, _),
        )
        for each in comparison.classes
    )
    return Table((_("class"), _("images"), _("boxes"), *_differences(comparison, _)), "lrrrrrr", rows)


def deployed_class_table(comparison: Comparison, results: Results, _: Translate) -> Table:
    """Precision, recall and F1 of each class at the confidence chosen on val, means over the seeds."""
    metrics = words.deployed_names(_)
    means = {arm: _class_means(results[arm]) for arm in ARMS}
    header = [_("class")]
    for metric in DEPLOYED_METRICS:
        header += [f"{metrics[metric]}, {arm}" for arm in names(comparison, _)]
    rows = tuple(
        (
            each.name,
            *(_number(means[arm][metric][each.class_id]) for metric in DEPLOYED_METRICS for arm in ARMS),
        )
        for each in comparison.classes
    )
    return Table(tuple(header), "l" + "r" * (len(header) - 1), rows)


def _class_means(results: Sequence[ArmResult]) -> pd.DataFrame:
    """Means over the seeds by class id; missing where no seed has a value."""
    columns = list(DEPLOYED_METRICS)
    tables = [result.statistics.per_class.set_index("class_id")[columns] for result in results]
    means: pd.DataFrame = pd.concat(tables).apply(pd.to_numeric, errors="coerce").groupby("class_id").mean()
    return means


def size_table(comparison: Comparison, _: Translate) -> Table:
    """COCO's average precision of all objects and by size, beside the same of Ultralytics where there is one."""
    metrics = {
        "all": "AP",
        "AP50": "AP50",
        "AP75": "AP75",
        "small": _("AP, small objects"),
        "medium": _("AP, medium objects"),
        "large": _("AP, large objects"),
    }
    twins = {"all": "map50_95", "AP50": "map50", "AP75": "map75"}
    rows = []
    for each in comparison.sizes:
        twin = comparison.metrics.get(twins.get(each.size, ""))
        ours = (twin.baseline, twin.candidate) if twin else (None, None)
        rows.append((metrics[each.size], *map(_number, (each.baseline, each.candidate, *ours))))
    coco = (_("{model}, COCO").format(model=name) for name in names(comparison, _))
    ultralytics = (_("{model}, Ultralytics").format(model=name) for name in names(comparison, _))
    return Table((_("metric"), *coco, *ultralytics), "lrrrr", tuple(rows))


def start_table(comparison: Comparison, _: Translate) -> Table | None:
    """What each arm starts from and who teaches it; None where both start at random and nobody teaches."""
    arms = comparison.baseline, comparison.candidate
    if not any(arm.start.sources or any(each.digest for each in arm.teachers) for arm in arms):
        return None
    rows = []
    for name, arm in zip(names(comparison, _), arms, strict=True):
        start = arm.start
        sources = _(", ").join(source.name for source in start.sources.values()) or _("random weights")
        tensors = _("{part} of {whole}").format(part=start.tensors, whole=start.of_tensors)
        values = _("{part} of {whole}").format(part=f"{start.values / 1e6:.2f}", whole=f"{start.of_values / 1e6:.2f} M")
        rows.append((name, sources, tensors, values, teacher(comparison, arm, _)))
    return Table((_("model"), _("starts from"), _("tensors"), _("values"), _("taught by")), "llrrl", tuple(rows))


def _differences(comparison: Comparison, _: Translate) -> tuple[str, ...]:
    confidence = f"{comparison.confidence:.0%}"
    return (
        *names(comparison, _),
        _("difference"),
        _("{confidence} interval").format(confidence=confidence),
    )


def _number(value: float | None) -> str:
    return NOTHING if value is None or pd.isna(value) else f"{value:.3f}"
