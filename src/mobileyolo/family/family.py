"""The results of a study's trials -> its models side by side, with intervals that hold together (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobileyolo.family.comparable import Excluded, comparable
from mobileyolo.family.members import Member, Unjudged
from mobileyolo.family.models import Group, Model, all_models, groups_of, joint_confidence
from mobileyolo.family.pairs import Pair, count_pairs, pairs_of, without_statistics
from mobileyolo.family.recommendation import Recommendation, recommend
from mobileyolo.verdict.records import Comparison


@dataclass(frozen=True)
class Family:
    """What a study has found.

    Attributes:
        groups: models on equal terms; one or more.
        excluded: trials that are in no table.
        counted: candidates for which the intervals hold together: all that are shown or, if more were measured on
            these images before, all of these.
        confidence: of each difference from a baseline.
        pairs: candidates with the same baseline among each other; empty where there are none, or they are left out.
        pair_confidence: of each of their differences.
        no_statistics: trials without whose statistics the pairs are left out.
        recommendation: the answer.
        unjudged: candidates of a study of recipes for which none can be chosen yet.
    """

    groups: tuple[Group, ...]
    excluded: tuple[Excluded, ...]
    counted: int
    confidence: float
    pairs: tuple[Pair, ...]
    pair_confidence: float
    no_statistics: tuple[str, ...]
    recommendation: Recommendation
    unjudged: tuple[Unjudged, ...]

    @classmethod
    def of(
        cls,
        members: Sequence[Member],
        pairwise: bool = True,
        unjudged: Sequence[Unjudged] = (),
        excluded: Sequence[Excluded] = (),
    ) -> Family:
        """Put trials side by side.

        Args:
            members: at least one.
            pairwise: compare the candidates among each other as well, which takes as long as each trial's comparison.
            unjudged: candidates that are no members yet.
            excluded: trials that are left out already.
        """
        kept, others = comparable(members)
        together = kept[0].comparison.confidence
        counted = max(len(kept), *(member.comparison.guards.candidates for member in kept))
        confidence = joint_confidence(together, counted)
        groups = groups_of(kept, confidence)
        missing = tuple(without_statistics(groups)) if pairwise else ()
        return cls(
            groups=groups,
            excluded=(*excluded, *others),
            counted=counted,
            confidence=confidence,
            pairs=pairs_of(groups, together) if pairwise and not missing else (),
            pair_confidence=joint_confidence(together, count_pairs(groups)),
            no_statistics=missing,
            recommendation=recommend(groups),
            unjudged=tuple(unjudged),
        )

    @property
    def tuned(self) -> bool:
        """Was a recipe chosen for each arm?"""
        return self.groups[0].baseline.choice is not None

    @property
    def models(self) -> list[Model]:
        """All rows, in the order of their numbers."""
        return all_models(self.groups)

    @property
    def comparison(self) -> Comparison:
        """Of the first trial: its seeds, images, margin and the like are those of all."""
        return self.groups[0].members[0].comparison

    @property
    def count_pairs(self) -> int:
        """How many pairs of candidates with the same baseline there are, shown or not."""
        return count_pairs(self.groups)
