"""Every difference between the arms with its interval: metrics, classes, errors, and boxes at the chosen confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mobileyolo.core.records import DEPLOYED_METRICS, METRICS
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict import bootstrap
from mobileyolo.verdict.bootstrap import Scenes, paired_bootstrap
from mobileyolo.verdict.error_costs import ErrorCosts
from mobileyolo.verdict.error_types import classify
from mobileyolo.verdict.interval import (
    Luck,
    difference,
    few_scenes_factor,
    image_half_widths,
    luck,
    rescaled,
    twice_counted,
    verdict_of,
)
from mobileyolo.verdict.metrics import WeightedMetrics, deployed_metrics, detection_counts, mean_over_classes
from mobileyolo.verdict.parameters import VerdictOptions
from mobileyolo.verdict.records import (
    DECIDING_METRIC,
    ERROR_KINDS,
    ClassDelta,
    DeployedDelta,
    ErrorCost,
    Interval,
    MetricDelta,
)
from mobileyolo.verdict.sorted_predictions import FloatArray

DECIDING = METRICS.index(DECIDING_METRIC)
ERROR_RESAMPLES = 200  # each needs six times the work of a metric's; their intervals decide nothing


@dataclass(frozen=True)
class Rule:
    """How an interval is made.

    Attributes:
        options: of the user.
        scenes: number of the scene of each held-out image, shape (images,).
        assumed: standard deviation over seeds by METRICS, which counts where too few are measured.
        assumed_degrees: of freedom of that.
    """

    options: VerdictOptions
    scenes: Scenes
    assumed: dict[str, float]
    assumed_degrees: int

    @property
    def scene_count(self) -> int:
        """Number of scenes."""
        return int(self.scenes.max()) + 1

    def draws(self, resamples: int | None = None) -> list[FloatArray]:
        """The draws of images that every paired interval uses."""
        return list(bootstrap.draws(self.scenes, resamples or self.options.resamples, self.options.seed))

    def image_part(self, metric: MetricDelta, confidence: float) -> float:
        """The larger of a metric's two half-widths from the choice of images, at a confidence."""
        part = np.array(max(metric.images_below, metric.images_above))
        return float(rescaled(part, self.scene_count, self.options.confidence, confidence))

    def interval(
        self, by_seed: FloatArray, drawn: FloatArray, luck_half_width: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Ends of the intervals, and the half-widths below and above that the choice of images gives.

        Args:
            by_seed: of baseline and candidate on all images, shape (2, seeds, metrics).
            drawn: on each draw, shape (resamples, 2, seeds, metrics).
            luck_half_width: shape (metrics,).
        """
        point = difference(by_seed)
        below, above = image_half_widths(by_seed, drawn, self.scene_count, self.options.confidence)
        low, high = point - np.hypot(below, luck_half_width), point + np.hypot(above, luck_half_width)
        return np.maximum(low, -1), np.minimum(high, 1), below, above

    def luck(self, baseline: FloatArray, candidate: FloatArray, assumed: FloatArray | float) -> Luck:
        """The spread over seeds of some values, shape (seeds, values) in each arm."""
        return luck(baseline, candidate, assumed, self.assumed_degrees)


@dataclass(frozen=True)
class Differences:
    """The differences of one comparison.

    Attributes:
        metrics: by METRICS.
        luck: of the deciding metric only.
        deployed: by DEPLOYED_METRICS.
        classes: the largest loss first.
        errors: by ERROR_KINDS.
        class_by_seed: mAP50-95 in baseline and candidate by seed and class, shape (2, seeds, classes).
        class_draws: the same on each draw, shape (resamples, 2, seeds, classes); NaN where a class was not drawn.
    """

    metrics: dict[str, MetricDelta]
    luck: Luck
    deployed: dict[str, DeployedDelta]
    classes: tuple[ClassDelta, ...]
    errors: tuple[ErrorCost, ...]
    class_by_seed: FloatArray
    class_draws: FloatArray

    @classmethod
    def of(cls, baseline: Sequence[ArmResult], candidate: Sequence[ArmResult], rule: Rule) -> Differences:
        """Compute all of them.

        Args:
            baseline: in order of seed.
            candidate: likewise.
            rule: how an interval is made.
        """
        arms = [[WeightedMetrics(result.statistics) for result in arm] for arm in (baseline, candidate)]
        once = np.ones(arms[0][0].images)
        draws = rule.draws()
        by_seed = paired_bootstrap(arms[0], arms[1], [once])[0]  # (2, seeds, 3, classes)
        drawn = paired_bootstrap(arms[0], arms[1], draws)
        metrics, deciding = metric_deltas(by_seed, drawn, rule)
        return cls(
            metrics=metrics,
            luck=deciding,
            deployed=_deployed(baseline, candidate, draws, rule),
            classes=_classes(baseline[0], by_seed[:, :, DECIDING], drawn[:, :, :, DECIDING], rule),
            errors=_errors(baseline, candidate, rule),
            class_by_seed=by_seed[:, :, DECIDING],
            class_draws=drawn[:, :, :, DECIDING],
        )


def metric_deltas(by_seed: FloatArray, drawn: FloatArray, rule: Rule) -> tuple[dict[str, MetricDelta], Luck]:
    """The metrics by name, and the luck of the deciding one.

    Args:
        by_seed: of baseline and candidate, shape (2, seeds, 3, classes).
        drawn: the same on each draw, shape (resamples, 2, seeds, 3, classes).
        rule: how an interval is made.
    """
    values = mean_over_classes(by_seed)  # (2, seeds, 3)
    spread = rule.luck(values[0], values[1], np.array([rule.assumed[name] for name in METRICS]))
    means, point = values.mean(1), difference(values)
    half_width = spread.half_width(rule.options.confidence)
    low, high, below, above = rule.interval(values, mean_over_classes(drawn), half_width)
    deltas = {
        name: MetricDelta(
            baseline=_rounded(means[0, index]),
            candidate=_rounded(means[1, index]),
            delta=_rounded(point[index]),
            low=_rounded(low[index]),
            high=_rounded(high[index]),
            images_below=_rounded(below[index]),
            images_above=_rounded(above[index]),
            luck=_rounded(half_width[index]),
            verdict=verdict_of(_rounded(low[index]), _rounded(high[index]), rule.options.margin),
        )
        for index, name in enumerate(METRICS)
    }
    measured = None if spread.measured is None else spread.measured[[DECIDING]]
    return deltas, Luck(spread.sd[[DECIDING]], spread.degrees, measured, spread.seeds)


def _deployed(
    baseline: Sequence[ArmResult], candidate: Sequence[ArmResult], draws: Sequence[FloatArray], rule: Rule
) -> dict[str, DeployedDelta]:
    """Precision, recall and F1, each model at its own confidence."""
    counts = np.array(
        [
            [detection_counts(result.statistics, result.metrics.confidence) for result in arm]
            for arm in (baseline, candidate)
        ]
    )  # (2, seeds, images, 3)
    values = deployed_metrics(counts.sum(2))  # (2, seeds, 3)
    drawn_counts = np.einsum("ri,asic->rasc", np.array(draws), counts)
    drawn = deployed_metrics(drawn_counts)  # (resamples, 2, seeds, 3)
    means, point = values.mean(1), difference(values)
    spread = rule.luck(values[0], values[1], rule.assumed[DECIDING_METRIC])
    low, high, _, _ = rule.interval(values, drawn, spread.half_width(rule.options.confidence))
    return {
        name: DeployedDelta(
            baseline=_or_none(means[0, index]),
            candidate=_or_none(means[1, index]),
            interval=None
            if np.isnan([point[index], low[index], high[index]]).any()
            else _interval(point[index], low[index], high[index]),
        )
        for index, name in enumerate(DEPLOYED_METRICS)
    }


def _classes(first: ArmResult, by_seed: FloatArray, drawn: FloatArray, rule: Rule) -> tuple[ClassDelta, ...]:
    """Each class, with intervals that hold for all of them together (max-|t| over the draws), the largest loss first.

    The luck of a single class is larger than that of their mean: for classes whose luck is independent, by the square
    root of their number.

    Args:
        first: any of the results; all have the same labels.
        by_seed: mAP50-95 of baseline and candidate, shape (2, seeds, classes).
        drawn: the same on each draw, shape (resamples, 2, seeds, classes).
        rule: how an interval is made.
    """
    means, point, apart = by_seed.mean(1), difference(by_seed), difference(drawn)
    confidence, count = rule.options.confidence, point.size
    spread = rule.luck(by_seed[0], by_seed[1], rule.assumed[DECIDING_METRIC] * np.sqrt(count))
    z = special.ndtri((1 + confidence) / 2)
    labelled = apart[~np.isnan(apart).all(1)]  # draws of images without any label tell nothing
    error = np.nanstd(labelled, axis=0, ddof=1)
    scaled = np.abs(labelled - point) / np.maximum(error, 1e-9)
    together = max(float(np.quantile(np.nanmax(scaled, axis=1), confidence)), z)
    if rule.scene_count < 2:
        images = np.ones_like(point)  # one scene tells nothing of others
    else:
        once = np.sqrt(1 - twice_counted(by_seed, drawn) / 2)
        images = together * error * once * few_scenes_factor(rule.scene_count, confidence)
    half_width = np.hypot(images, together / z * spread.half_width(confidence))
    low, high = np.maximum(point - half_width, -1), np.minimum(point + half_width, 1)
    table = first.statistics.per_class.set_index("class_id")
    ids = np.sort(table.index.to_numpy())  # the order of WeightedMetrics
    return tuple(
        ClassDelta(
            class_id=int(ids[index]),
            name=str(table["name"][ids[index]]),
            images=int(table["images"][ids[index]]),
            boxes=int(table["boxes"][ids[index]]),
            baseline=_rounded(means[0, index]),
            candidate=_rounded(means[1, index]),
            delta=_rounded(point[index]),
            low=_rounded(low[index]),
            high=_rounded(high[index]),
        )
        for index in np.argsort(point, kind="stable")
    )


def _errors(baseline: Sequence[ArmResult], candidate: Sequence[ArmResult], rule: Rule) -> tuple[ErrorCost, ...]:
    """What each kind of error costs, on fewer draws than the metrics."""
    arms = [[ErrorCosts(result.statistics) for result in arm] for arm in (baseline, candidate)]
    counts = np.array(
        [
            [list(classify(result.statistics, result.metrics.confidence).counts().values()) for result in arm]
            for arm in (baseline, candidate)
        ]
    )  # (2, seeds, kinds)
    once = np.ones(arms[0][0].images)
    values = np.array([[model(once) for model in arm] for arm in arms])  # (2, seeds, kinds)
    drawn = np.array(
        [
            [[model(draw) for model in arm] for arm in arms]
            for draw in rule.draws(min(rule.options.resamples, ERROR_RESAMPLES))
        ]
    )  # (resamples, 2, seeds, kinds)
    means, point, count_means = values.mean(1), difference(values), counts.mean(1)
    # The luck assumed for the whole is shared among the kinds as what they cost is: what costs nothing has none.
    cost = np.abs(means).mean(0)
    share = cost / cost.sum() if cost.any() else cost
    spread = rule.luck(values[0], values[1], rule.assumed[DECIDING_METRIC] * np.sqrt(share))
    low, high, _, _ = rule.interval(values, drawn, spread.half_width(rule.options.confidence))
    return tuple(
        ErrorCost(
            kind=kind,
            baseline=_rounded(means[0, index]),
            candidate=_rounded(means[1, index]),
            delta=_rounded(point[index]),
            low=_rounded(low[index]),
            high=_rounded(high[index]),
            baseline_count=round(float(count_means[0, index]), 2),
            candidate_count=round(float(count_means[1, index]), 2),
        )
        for index, kind in enumerate(ERROR_KINDS)
    )


def _interval(delta: float, low: float, high: float) -> Interval:
    return Interval(delta=_rounded(delta), low=_rounded(low), high=_rounded(high))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else _rounded(value)


def _rounded(value: float) -> float:
    """Six digits: further ones differ between processors."""
    return round(float(value), 6)
