"""Which model a dataset's registered model calls its champion (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mobileyolo.core.backbones import Arm
from mobileyolo.verdict.latency_ratio import is_faster
from mobileyolo.verdict.records import DECIDING_METRIC, Comparison
from mobileyolo.verdict.sentences import QUOTED_LATENCY

_WINS = ("better",)
_WINS_IF_CHEAPER = ("no worse", "equivalent")


@dataclass(frozen=True)
class Champion:
    """The model that is the champion now.

    Attributes:
        backbone: its name.
        setup: equal for two models that differ in arm, seed and luck only.
        recipe: digest of what it was trained by.
        against: the baseline's backbone in the comparison that made it champion; None if somebody else made it that.
        map50_95: its own in that comparison, in [0, 1], mean over the seeds; likewise None.
    """

    backbone: str
    setup: str
    recipe: str
    against: str | None
    map50_95: float | None


@dataclass(frozen=True)
class Decision:
    """What a comparison makes of the champion.

    Attributes:
        arm: whose model becomes champion; None if all stays as it is.
        reason: why, as the end of a sentence.
    """

    arm: Arm | None
    reason: str


def decide(comparison: Comparison, setups: Mapping[Arm, str], champion: Champion | None) -> Decision:
    """Who is the champion after a comparison.

    Only a candidate that wins takes its place: one that is better, or no worse or equivalent at lower cost. It must
    have been compared with the champion itself; or with its backbone, or by the same recipe with the same baseline, and
    then its mAP50-95 must not be below the champion's. The first champion is who wins the first comparison that counts.

    Args:
        comparison: the outcome.
        setups: of both arms, as `Champion.setup`.
        champion: who it is now; None if there is none.
    """
    if comparison.provisional:
        return Decision(None, "the comparison is provisional: it has one seed")
    if comparison.split == "val":
        return Decision(None, "the comparison is on val, by which candidates are chosen")
    won, reason = _won(comparison)
    if champion is None:
        return Decision("candidate" if won else "baseline", reason)
    if not won or champion.setup in setups.values():
        return Decision("candidate" if won else None, reason)
    candidate, baseline = comparison.candidate.backbone, comparison.baseline.backbone
    same_measure = (champion.against, champion.recipe) == (baseline, comparison.recipe_digest)
    if champion.backbone != baseline and not same_measure:
        return Decision(
            None,
            f"it was not compared with {baseline} by this recipe; compare {candidate} with the baseline "
            f"{champion.backbone}",
        )
    reached = comparison.metrics[DECIDING_METRIC].candidate
    if champion.map50_95 is None:
        return Decision(None, "somebody else made it champion, and nothing is known of its comparison")
    if reached < champion.map50_95:
        return Decision(None, f"{candidate} reaches an mAP50-95 of {reached:.3f}, and it {champion.map50_95:.3f}")
    return Decision("candidate", reason)


def _won(comparison: Comparison) -> tuple[bool, str]:
    """Does the candidate deserve to be champion in place of its baseline, and why?"""
    told = f"{comparison.candidate.backbone} against {comparison.baseline.backbone} is {comparison.verdict}"
    if comparison.verdict in _WINS:
        return True, told
    if comparison.verdict not in _WINS_IF_CHEAPER:
        return False, told
    cheaper, cost = _cheaper(comparison)
    return cheaper, f"{told}, {cost}"


def _cheaper(comparison: Comparison) -> tuple[bool, str]:
    """Does the candidate cost less: latency, or where that was not measured, GFLOPs?"""
    latency, gflops = comparison.costs.get(QUOTED_LATENCY), comparison.costs["gflops"]
    if latency is None:
        return gflops.ratio < 1, f"at {gflops.ratio:.2f} times the GFLOPs"
    if is_faster(latency):
        return True, f"at {latency.ratio:.2f} times the latency"
    return False, "and not shown to be faster"
