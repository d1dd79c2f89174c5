from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from mobileyolo.core.errors import ComparisonError
from mobileyolo.core.records import OfferRecord, WeightsSource
from mobileyolo.core.results import ArmEvidence, ArmResult
from mobileyolo.verdict.equal_terms import check_terms
from tests.synthetic_results import make_arms, make_evidence, with_changes, with_training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda result: with_training(result, recipe_digest="deadbeef"),
            r"recipe_digest differs: '[0-9a-f]{64}' for baseline s0, 'deadbeef' for candidate s0; train and evaluate",
        ),
        (
            lambda result: with_training(result, engine=result.training.engine | {"threads": "2"}),
            r"engine threads differs: '1' for baseline s0, '2' for candidate s0; train and evaluate both arms again on "
            r"the same terms \(MOBILEYOLO_THREADS sets their number; `dvc repro --force` runs all of it",
        ),
        (  # in the record of a training by an earlier version
            lambda result: with_training(result, engine={"torch": "2.14.1", "device": "cpu", "threads": "1"}),
            r"engine ultralytics differs: '8\.4' for baseline s0, 'None' for candidate s0; .* \(`dvc repro --force`",
        ),
        (
            lambda result: with_training(result, data_digest="deadbeef"),
            r"data_digest differs: '[0-9a-f]{64}' for baseline s0, 'deadbeef' for candidate s0",
        ),
        (
            lambda result: with_training(result, seed=7),
            r"seeds differ: baseline has \[0\], candidate has \[7\]; train both arms on the same seeds",
        ),
        (
            lambda result: dataclasses.replace(result, statistics=with_changes(result.statistics, split="val")),
            r"split differs: 'test' for baseline s0, 'val' for candidate s0",
        ),
        (
            lambda result: dataclasses.replace(
                result, statistics=with_changes(result.statistics, images=result.statistics.images[:-1])
            ),
            r"images differ: 70 for baseline s0, 69 for candidate s0; .* one of them has is 'images/test/00069.jpg'",
        ),
    ],
)
def test_unequal_terms_are_refused_by_name_and_values(change: Callable[[ArmResult], ArmResult], message: str) -> None:
    baseline, candidate = make_arms()
    with pytest.raises(ComparisonError, match=message):
        check_terms(make_evidence(baseline), make_evidence([change(candidate[0])]))


def test_unequal_terms_between_the_seeds_of_one_arm_are_refused() -> None:
    baseline, candidate = make_arms(seeds=2)
    baseline[1] = with_training(baseline[1], recipe_digest="deadbeef")
    with pytest.raises(ComparisonError, match=r"recipe_digest differs: .* for baseline s0, 'deadbeef' for baseline s1"):
        check_terms(make_evidence(baseline), make_evidence(candidate))


def test_each_arm_may_have_a_recipe_of_its_own_where_it_was_chosen_among_as_many() -> None:
    baseline, candidate = make_arms(seeds=2)
    own = make_evidence([with_training(result, recipe_digest="deadbeef") for result in candidate])
    check_terms(make_evidence(baseline), own, tuned=True)
    with pytest.raises(ComparisonError, match="recipe_digest differs"):
        check_terms(make_evidence(baseline), own)


def test_all_seeds_of_an_arm_have_one_recipe_and_nothing_else_may_differ_between_tuned_arms() -> None:
    baseline, candidate = make_arms(seeds=2)
    mixed = [candidate[0], with_training(candidate[1], recipe_digest="deadbeef")]
    with pytest.raises(ComparisonError, match=r"recipe_digest differs: .* 'deadbeef' for candidate s1"):
        check_terms(make_evidence(baseline), make_evidence(mixed), tuned=True)
    other = [with_training(result, recipe_digest="deadbeef", data_digest="0ther") for result in candidate]
    with pytest.raises(ComparisonError, match="data_digest differs"):
        check_terms(make_evidence(baseline), make_evidence(other), tuned=True)


@pytest.mark.parametrize(
    ("role", "files", "said"),
    [
        ("backbone", (), r"init\.backbone differs: a\.pt \(a{12}\), b\.pt \(b{12}\) for baseline, none for candidate"),
        ("backbone", (("a.pt", "c"), ("b.pt", "b")), r"a\.pt \(a{12}\), .* for baseline, a\.pt \(c{12}\), b\.pt"),
        ("detector", (("d.pt", "d"),), r"init\.detector differs: none for baseline, d\.pt \(d{12}\) for candidate"),
    ],
)
def test_arms_that_could_start_from_different_weights_are_refused(
    role: str, files: tuple[tuple[str, str], ...], said: str
) -> None:
    baseline, candidate = map(make_evidence, make_arms())
    offered = {"backbone": tuple(WeightsSource(name=f"{name}.pt", digest=name * 64) for name in "ab")}
    other = offered | {role: tuple(WeightsSource(name=name, digest=digest * 64) for name, digest in files)}
    baseline = dataclasses.replace(baseline, offer=OfferRecord(files=offered))
    check_terms(baseline, dataclasses.replace(candidate, offer=baseline.offer))
    with pytest.raises(ComparisonError, match=said):
        check_terms(baseline, dataclasses.replace(candidate, offer=OfferRecord(files=other)))


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ComparisonError, match=r"seeds differ: baseline has \[\], candidate has \[\]"):
        check_terms(*[ArmEvidence(OfferRecord(files={}), [], [], [])] * 2)
