from __future__ import annotations

from typing import Any

import pytest

from mobileyolo.core.backbones import Arm
from mobileyolo.tracking.champion import Champion, decide
from mobileyolo.verdict.records import CostRatio, MetricDelta
from tests.synthetic_comparison import DIGEST, make_comparison

SETUPS: dict[Arm, str] = {"baseline": "the present baseline", "candidate": "the present candidate"}
FASTER = CostRatio(baseline=10.0, candidate=8.0, ratio=0.8, low=0.75, high=0.85)
SAME = FASTER.model_copy(update={"ratio": 0.98, "low": 0.9, "high": 1.05})
FEWER, MORE = (CostRatio(baseline=2.0, candidate=2.0 * ratio, ratio=ratio) for ratio in (0.5, 1.5))
REACHED = 0.5  # the candidate's mAP50-95


def outcome(verdict: str, latency: CostRatio | None = FASTER, gflops: CostRatio = FEWER, **changes: Any) -> Any:
    """A comparison of mnv1_n with yolo11n over three seeds on test."""
    metric = MetricDelta(
        baseline=0.5, candidate=REACHED, delta=0.0, low=-0.1, high=0.1, images_below=0.1, images_above=0.1, luck=0.0,
        verdict="better",
    )  # fmt: skip
    costs = {"gflops": gflops, **({"latency_ms": latency} if latency else {})}
    return make_comparison(seeds=3, verdict=verdict, metrics={"map50_95": metric}, costs=costs, **changes)


def champion(**changes: Any) -> Champion:
    """One of another backbone that won against the same baseline by the same recipe, and is no better."""
    known: dict[str, Any] = {
        "backbone": "mnv1_s", "setup": "another", "recipe": DIGEST, "against": "yolo11n", "map50_95": REACHED,
    }  # fmt: skip
    return Champion(**known | changes)


BY_ANOTHER_RECIPE = {"recipe": "another", "against": "yolo11n"}
BY_ANOTHER_BASELINE = {"against": "yolo11s"}


@pytest.mark.parametrize(
    ("comparison", "present", "becomes", "reason"),
    [
        # The first champion.
        (outcome("better"), None, "candidate", "mnv1_n against yolo11n is better"),
        (outcome("better", SAME, MORE), None, "candidate", "is better"),  # whatever it costs
        (outcome("worse"), None, "baseline", "is worse"),
        (outcome("inconclusive"), None, "baseline", "is inconclusive"),
        (outcome("no better"), None, "baseline", "is no better"),
        (outcome("no worse"), None, "candidate", "is no worse, at 0.80 times the latency"),
        (outcome("equivalent"), None, "candidate", "is equivalent, at 0.80 times the latency"),
        (outcome("no worse", SAME), None, "baseline", "is no worse, and not shown to be faster"),
        (outcome("equivalent", SAME, FEWER), None, "baseline", "not shown to be faster"),  # latency counts
        (outcome("equivalent", FASTER.model_copy(update={"busy": True})), None, "baseline", "not shown to be faster"),
        (outcome("equivalent", FASTER.model_copy(update={"high": None})), None, "baseline", "not shown to be faster"),
        (outcome("equivalent", None, FEWER), None, "candidate", "at 0.50 times the GFLOPs"),
        (outcome("equivalent", None, MORE), None, "baseline", "at 1.50 times the GFLOPs"),
        # What never decides.
        (outcome("better", provisional=True), None, None, "provisional: it has one seed"),
        (outcome("worse", provisional=True), champion(setup=SETUPS["baseline"]), None, "provisional"),
        (outcome("better", split="val"), None, None, "on val"),
        # One that is there stays unless the candidate wins.
        (outcome("worse"), champion(setup=SETUPS["baseline"]), None, "is worse"),
        (outcome("no worse", SAME), champion(setup=SETUPS["baseline"]), None, "not shown to be faster"),
        # Compared with the champion itself: the verdict decides, whatever it has reached elsewhere.
        (outcome("better"), champion(setup=SETUPS["baseline"], map50_95=0.9), "candidate", "is better"),
        (outcome("equivalent"), champion(setup=SETUPS["baseline"], map50_95=None), "candidate", "is equivalent"),
        # The champion is the candidate, perhaps with other seeds.
        (outcome("better"), champion(setup=SETUPS["candidate"], **BY_ANOTHER_BASELINE), "candidate", "is better"),
        (outcome("worse"), champion(setup=SETUPS["candidate"]), None, "is worse"),
        # Both won against the same baseline by the same recipe.
        (outcome("better"), champion(), "candidate", "is better"),
        (outcome("better"), champion(map50_95=0.501), None, "mnv1_n reaches an mAP50-95 of 0.500, and it 0.501"),
        # The champion's comparison was another one.
        (outcome("better"), champion(**BY_ANOTHER_RECIPE), None, "compare mnv1_n with the baseline mnv1_s"),
        (outcome("better"), champion(**BY_ANOTHER_BASELINE), None, "compare mnv1_n with the baseline mnv1_s"),
        (outcome("better"), champion(backbone="yolo11n", **BY_ANOTHER_RECIPE), "candidate", "is better"),
        (outcome("better"), champion(backbone="yolo11n", **BY_ANOTHER_BASELINE), "candidate", "is better"),
        (outcome("better"), champion(backbone="yolo11n", recipe="another", map50_95=0.6), None, "and it 0.600"),
        # Somebody has made a version champion by hand.
        (outcome("better"), champion(against=None, map50_95=None), None, "compare mnv1_n with the baseline mnv1_s"),
        (outcome("better"), champion(backbone="yolo11n", against=None, map50_95=None), None, "somebody else"),
    ],
)  # fmt: skip
def test_the_champion_moves_to_who_won_by_the_same_measure_only(
    comparison: Any, present: Champion | None, becomes: str | None, reason: str
) -> None:
    decision = decide(comparison, SETUPS, present)
    assert decision.arm == becomes
    assert reason in decision.reason
