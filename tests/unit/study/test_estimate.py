from __future__ import annotations

import pytest

from mobileyolo.study.estimate import Pace, disk_of, time_of
from mobileyolo.study.trials import distinct_trainings
from tests.synthetic_comparison import make_comparison
from tests.synthetic_study import EPOCHS, make_course

COMPARISON = make_comparison()
TIME = COMPARISON.candidate.times[0]


def test_a_comparison_tells_the_pace_of_its_backbones() -> None:
    pace = Pace()
    pace.add_comparison(COMPARISON, TIME.machine, TIME.threads)
    work = COMPARISON.epochs * COMPARISON.costs["gflops"].candidate
    assert pace.seconds(COMPARISON.candidate.backbone, work) == pytest.approx(TIME.seconds)


@pytest.mark.parametrize(("machine", "threads"), [("another", TIME.threads), (TIME.machine, TIME.threads + 1)])
def test_times_of_another_machine_or_number_of_threads_do_not_count(machine: str, threads: int) -> None:
    pace = Pace()
    pace.add_comparison(COMPARISON, machine, threads)
    assert pace.seconds(COMPARISON.candidate.backbone, 1) is None


def test_trainings_take_one_after_the_other_and_keep_their_weights_twice() -> None:
    course = make_course(backbones=["mnv1_n"])
    trainings = distinct_trainings(course.trials, [])
    pace = Pace()
    assert time_of(trainings, EPOCHS, course.profiles, pace) is None
    pace.add("mnv1_n", seconds=3, work=1)
    assert time_of(trainings, EPOCHS, course.profiles, pace) == pytest.approx(3 * EPOCHS * (1 + 2))
    assert time_of([], EPOCHS, course.profiles, Pace()) == 0
    assert disk_of(trainings, course.profiles) == 2 * 1_000_000 * 2 * 2  # models, parameters, bytes, copies
