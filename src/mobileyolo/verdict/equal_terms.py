"""Were both arms trained and evaluated on equal terms? Only then can they be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import OfferRecord, WeightsSource
from mobileyolo.core.results import ArmEvidence, ArmResult


def check_terms(baseline: ArmEvidence, candidate: ArmEvidence, *, tuned: bool = False) -> None:
    """Raise unless all results, of both arms and all seeds, differ only in arm and seed, and both had the same offer.

    Args:
        baseline: in order of seed.
        candidate: likewise.
        tuned: each arm has a recipe of its own, chosen among as many as the other one's.

    Raises:
        ComparisonError: the message names the term that differs and both values.
    """
    baseline_seeds, candidate_seeds = (
        [result.training.seed for result in arm.results] for arm in (baseline, candidate)
    )
    if baseline_seeds != candidate_seeds or not baseline_seeds:
        raise ComparisonError(
            f"seeds differ: baseline has {baseline_seeds}, candidate has {candidate_seeds}; "
            "train both arms on the same seeds"
        )
    _check_offers(baseline.offer, candidate.offer)
    first = baseline.results[0]
    for arm in (baseline, candidate):
        recipe = (arm.results[0] if tuned else first).training.recipe_digest
        for other in arm.results:
            for term, expected, found in _terms(first, other, recipe):
                if found != expected:
                    raise ComparisonError(
                        f"{term} differs: {expected!r} for {first.label}, {found!r} for {other.label}; "
                        f"train and evaluate both arms again on the same terms{_way(term)}"
                    )
            _check_images(first, other)


def _check_offers(baseline: OfferRecord, candidate: OfferRecord) -> None:
    """What an arm takes of the starting weights may differ, but not what it could take."""
    for role in sorted(baseline.files.keys() | candidate.files.keys()):
        expected, found = baseline.files.get(role, ()), candidate.files.get(role, ())
        if found != expected:
            raise ComparisonError(
                f"init.{role} differs: {_named(expected)} for baseline, {_named(found)} for candidate; build both arms "
                "with the same starting weights: dvc repro"
            )


def _named(sources: Sequence[WeightsSource]) -> str:
    return ", ".join(f"{source.name} ({source.digest[:12]})" for source in sources) or "none"


def _terms(first: ArmResult, other: ArmResult, recipe: str) -> Iterator[tuple[str, str, str]]:
    """Name of each term, its value in the first result or the expected recipe's digest, and its value in the other."""
    engines = first.training.engine, other.training.engine
    for key in sorted(engines[0].keys() | engines[1].keys()):
        yield f"engine {key}", str(engines[0].get(key)), str(engines[1].get(key))
    yield "recipe_digest", recipe, other.training.recipe_digest
    yield "data_digest", first.training.data_digest, other.training.data_digest
    yield "split", first.statistics.split, other.statistics.split
    for key in sorted(first.statistics.measured.keys() | other.statistics.measured.keys()):
        yield f"evaluation {key}", str(first.statistics.measured.get(key)), str(other.statistics.measured.get(key))


def _way(term: str) -> str:
    """How to get equal terms, where no parameter says it."""
    if not term.startswith(("engine ", "evaluation ")):
        return ""
    threads = "MOBILEYOLO_THREADS sets their number; " if term.endswith(" threads") else ""
    return f" ({threads}`dvc repro --force` runs all of it on this machine)"


def _check_images(first: ArmResult, other: ArmResult) -> None:
    expected, found = first.statistics.images["image"].tolist(), other.statistics.images["image"].tolist()
    if found != expected:
        raise ComparisonError(
            f"images differ: {len(expected)} for {first.label}, {len(found)} for {other.label}; the first image that "
            f"only one of them has is {min(set(found) ^ set(expected), default=None)!r}; evaluate both arms again"
        )
