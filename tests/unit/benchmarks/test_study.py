from __future__ import annotations

from benchmarks.study import Grid, shares


def test_each_trial_is_with_the_worker_that_has_its_baseline() -> None:
    first, second = shares(Grid())
    assert sorted(first + second) == sorted(Grid().trials)
    assert ({imgsz for _, imgsz in first}, {imgsz for _, imgsz in second}) == ({256, 352}, {288, 320})
