from __future__ import annotations

import pytest

from benchmarks.measuring import Aim, exponent, figure
from tests.unit.benchmarks.made_up import make_case


def test_ways_take_turns_and_the_one_that_ended_a_round_begins_the_next() -> None:
    order: list[str] = []
    list(make_case(lambda name: order.append(name) or 1.0, rounds=3).measure())  # type: ignore[func-returns-value]
    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]


def test_a_case_that_goes_on_begins_with_the_way_whose_turn_it_is_and_measures_only_the_rest() -> None:
    order: list[str] = []
    list(make_case(lambda name: order.append(name) or 1.0, rounds=2).measure(begun=1))  # type: ignore[func-returns-value]
    assert order == ["peer", "ours"]


def test_a_round_has_the_ways_in_their_own_order_whichever_ran_first() -> None:
    assert [list(samples) for samples in make_case(rounds=2).measure()] == [["ours", "peer"]] * 2


def test_a_ratio_is_of_the_first_way_to_the_second_whatever_further_ways_there_are() -> None:
    assert figure("ratio", {"ours": 3.0, "peer": 2.0, "again": 9.0}) == 1.5
    assert figure("value", {"ours": 3.0}) == 3.0


@pytest.mark.parametrize(
    ("power", "fixed"),
    [
        (1.0, 0.0),
        (1.0, 30.0),  # seconds of the start, which do not grow
        (2.0, 5.0),
        (0.5, 1.0),
    ],
)
def test_the_exponent_is_that_of_the_cost_beyond_the_fixed_one(power: float, fixed: float) -> None:
    assert exponent({n: fixed + 0.2 * n**power for n in (100, 400, 1600)}) == pytest.approx(power)


def test_an_exponent_is_zero_where_nothing_grows() -> None:
    assert exponent({10: 2.0, 100: 2.001, 1000: 1.999}) == 0


def test_a_size_is_a_number_whatever_order_the_ways_have() -> None:
    assert figure("exponent", {"1000": 100.0, "10": 1.0, "100": 10.0}) == pytest.approx(1)


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [(2.0, 2.5, "yes"), (1.5, 1.9, "no"), (1.9, 2.1, "unsure")],
)
def test_an_aim_is_reached_if_the_whole_interval_is_on_its_side(low: float, high: float, answer: str) -> None:
    opposite = {"yes": "no", "no": "yes", "unsure": "unsure"}
    assert Aim("at least", 2.0).reached(low, high) == answer
    assert Aim("at most", 1.999).reached(low, high) == opposite[answer]
