"""What is looked at before a verdict is given: enough scenes, no verdict of a few boxes, no winner of many tries."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mobileyolo.verdict.differences import Differences, Rule
from mobileyolo.verdict.interval import at_confidence, difference, image_half_widths, verdict_of
from mobileyolo.verdict.metrics import mean_over_classes
from mobileyolo.verdict.records import DECIDING_METRIC, Guards, Interval, Verdict

NO_VERDICT_SCENES = 5  # under so many there is none
FEW_SCENES = 30  # under so many it comes with a caveat
RARE_BOXES = 10  # a class with fewer held-out boxes moves the mean by the luck of single boxes


def guard(differences: Differences, rule: Rule, candidates: int) -> Guards:
    """Look at everything that could make the deciding metric's verdict false.

    Args:
        differences: of the comparison.
        rule: how an interval is made.
        candidates: distinct ones that were measured on these images, this one included.
    """
    confidence = 1 - (1 - rule.options.confidence) / candidates  # Bonferroni: all verdicts hold together
    scenes = rule.scene_count
    rare = {each.class_id for each in differences.classes if each.boxes < RARE_BOXES}
    in_order = sorted(differences.classes, key=lambda each: each.class_id)
    common = np.array([each.class_id not in rare for each in in_order])
    without_rare = None
    if rare and common.any():
        interval = _interval(differences, rule, confidence, common)
        without_rare = verdict_of(interval.low, interval.high, rule.options.margin)
    return Guards(
        scenes=scenes,
        few_scenes="no verdict" if scenes < NO_VERDICT_SCENES else "caveat" if scenes < FEW_SCENES else "none",
        rare_classes=tuple(each.name for each in in_order if each.class_id in rare),
        without_rare=without_rare,
        candidates=candidates,
        corrected=_corrected(differences, rule, confidence),
        corrected_confidence=round(confidence, 6),
    )


def guarded_verdict(guards: Guards, margin: float) -> Verdict:
    """The verdict of the corrected interval; inconclusive with too few scenes, or if rare classes would change it."""
    if guards.few_scenes == "no verdict" or rare_classes_decide(guards, margin):
        return "inconclusive"
    return verdict_of(guards.corrected.low, guards.corrected.high, margin)


def rare_classes_decide(guards: Guards, margin: float) -> bool:
    """Would the corrected interval say something else without the rare classes?"""
    return guards.without_rare not in (None, verdict_of(guards.corrected.low, guards.corrected.high, margin))


def _corrected(differences: Differences, rule: Rule, confidence: float) -> Interval:
    """The deciding metric's interval at another confidence."""
    metric = differences.metrics[DECIDING_METRIC]
    if confidence == rule.options.confidence:
        return Interval(delta=metric.delta, low=metric.low, high=metric.high)
    parts = np.array([metric.images_below, metric.images_above])
    luck = float(differences.luck.half_width(confidence)[0])
    return at_confidence(metric.delta, parts, luck, rule.scene_count, rule.options.confidence, confidence)


def _interval(differences: Differences, rule: Rule, confidence: float, kept: npt.NDArray[np.bool_]) -> Interval:
    """The interval over some of the classes only; shape of `kept`: (classes,)."""
    by_seed = mean_over_classes(differences.class_by_seed[..., kept])[..., None]
    drawn = mean_over_classes(differences.class_draws[..., kept])[..., None]
    parts = np.concatenate(image_half_widths(by_seed, drawn, rule.scene_count, rule.options.confidence))
    luck = rule.luck(by_seed[0], by_seed[1], rule.assumed[DECIDING_METRIC]).half_width(confidence)
    delta = float(difference(by_seed)[0])
    return at_confidence(delta, parts, float(luck[0]), rule.scene_count, rule.options.confidence, confidence)
