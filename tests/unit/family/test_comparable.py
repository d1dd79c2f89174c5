from __future__ import annotations

from typing import Any

import pytest

from mobileyolo.family.comparable import Mismatch, Term, comparable
from tests.synthetic_family import ENGINE, make_member, named


def test_all_that_is_equal_but_for_the_grid_stands_in_one_table() -> None:
    members = [
        make_member("mnv1_n"),
        make_member("mnv1_s", imgsz=256, start="imagenet"),
        make_member(teacher="yolo11m"),
    ]
    kept, excluded = comparable(members)
    assert named(kept) == named(members)
    assert excluded == []


@pytest.mark.parametrize(
    ("changes", "term", "found"),
    [
        ({"data_digest": "other"}, Term("data"), "other"),
        ({"split": "val"}, Term("split"), "val"),
        ({"images": 71}, Term("images"), "71"),
        ({"latency_threads": 2}, Term("latency", "threads"), "2"),
        ({"latency_machine": "another CPU"}, Term("latency", "machine"), "another CPU"),
    ],
)
def test_a_trial_that_differs_is_left_out_and_named_with_both_values(
    changes: dict[str, Any], term: Term, found: str
) -> None:
    other = make_member("mnv1_m", **changes)
    kept, (excluded,) = comparable([other, make_member("mnv1_n"), make_member("mnv1_s")])
    assert [member.comparison.candidate.backbone for member in kept] == ["mnv1_n", "mnv1_s"]
    (mismatch,) = excluded.mismatches
    assert (excluded.trial, mismatch.term, mismatch.found) == (other.trial, term, found)
    assert mismatch.expected != found


def test_a_training_with_other_threads_is_left_out() -> None:
    other = make_member("mnv1_m")
    candidate = other.comparison.candidate
    times = tuple(time.model_copy(update={"threads": 8}) for time in candidate.times)
    other = make_member("mnv1_m", candidate=candidate.model_copy(update={"times": times}))
    _, (excluded,) = comparable([make_member("mnv1_n"), make_member("mnv1_s"), other])
    assert excluded.mismatches == (Mismatch(Term("engine", "threads"), "2, 8", "2"),)


def test_another_engine_is_left_out_and_an_unknown_one_is_not() -> None:
    members = [
        make_member("mnv1_n", statistics=1),
        make_member("mnv1_s"),
        make_member("mnv1_m", statistics=2, engine=ENGINE | {"torch": "2.15"}),
    ]
    kept, (excluded,) = comparable(members)
    assert named(kept) == named(members[:2])
    assert excluded.mismatches == (Mismatch(Term("engine", "torch"), "2.15", ENGINE["torch"]),)


def test_of_as_many_the_newest_are_kept() -> None:
    old = make_member("mnv1_n", data_digest="old", measured="2026-01-01T00:00:00Z")
    new = make_member("mnv1_s", data_digest="new", measured="2026-01-02T00:00:00Z")
    for members in ([old, new], [new, old]):
        kept, excluded = comparable(members)
        assert named(kept) == [new.trial]
        assert [each.trial for each in excluded] == [old.trial]
