from __future__ import annotations

import pytest

from mobileyolo.study.watching import Progress, Sighting
from tests.synthetic_comparison import make_comparison
from tests.synthetic_study import EPOCHS, GFLOPS, make_course

RESULT = make_comparison()


def seen(backbone: str, epoch: int, arm: str = "candidate") -> Progress:
    return Progress("", Sighting(arm, backbone, 0, epoch, EPOCHS, None))


def test_a_trial_waits_runs_and_is_done_or_has_failed() -> None:
    course = make_course()
    first, second, third = course.trials
    course.begin(first)
    assert [course.state(trial) for trial in course.trials] == ["running", "waiting", "waiting"]
    course.end(first, RESULT)
    course.begin(second)
    course.end(second, None)
    assert [course.state(trial) for trial in course.trials] == ["done", "failed", "waiting"]
    assert course.waiting() == [third]


def test_the_longest_first_are_those_with_the_most_operations_at_their_resolution() -> None:
    course = make_course(backbones=["mnv1_s", "mnv1_m", "mnv1_n"], imgsz=[128, 256])
    course.profiles = {
        **course.profiles,
        **{
            (name, 2 * side): profile.model_copy(update={"gflops": 4 * profile.gflops})
            for (name, side), profile in course.profiles.items()
        },
    }
    course.begin(course.trials[0])
    course.end(course.trials[0], RESULT)
    assert [(trial.backbone, trial.imgsz) for trial in course.longest_first()] == [
        *[("mnv1_m", 256), ("mnv1_s", 256), ("mnv1_n", 256), ("mnv1_m", 128), ("mnv1_n", 128)]
    ]


def test_without_a_measured_time_what_is_left_is_unknown() -> None:
    course = make_course()
    assert course.seconds_left(course.trials) is None


def test_what_is_left_counts_what_trials_share_once_and_only_until_it_is_done() -> None:
    course = make_course()
    course.pace.add("yolo11n", seconds=30, work=3)
    of_one = 10 * EPOCHS
    assert course.seconds_left(course.trials) == pytest.approx(of_one * sum(GFLOPS.values()))
    course.begin(course.trials[0])
    course.end(course.trials[0], RESULT)
    assert course.seconds_left(course.waiting()) == pytest.approx(of_one * (GFLOPS["mnv1_s"] + GFLOPS["mnv1_m"]))


def test_the_epochs_that_pass_measure_the_pace_and_shorten_what_is_left() -> None:
    course = make_course(backbones=["mnv1_n"])
    course.begin(course.trials[0])
    assert course.see(course.trials[0], seen("yolo11n", 0, "baseline"), now=100)
    assert not course.see(course.trials[0], seen("yolo11n", 0, "baseline"), now=105)
    assert course.seconds_left(course.trials) is None
    assert not course.see(
        course.trials[0], seen("yolo11n", 2, "baseline"), now=120
    )  # 2 epochs of 2 GFLOPs in 20 seconds
    left = 2 * GFLOPS["yolo11n"] + EPOCHS * GFLOPS["mnv1_n"]
    assert course.seconds_left(course.trials) == pytest.approx(5 * left)
    assert course.see(course.trials[0], seen("mnv1_n", 0), now=130)
    assert course.seconds_left(course.trials) == pytest.approx(5 * EPOCHS * GFLOPS["mnv1_n"])


def test_a_training_that_goes_on_counts_from_where_it_goes_on() -> None:
    course = make_course(backbones=["mnv1_n"])
    course.begin(course.trials[0])
    course.see(course.trials[0], seen("mnv1_n", 3), now=0)
    course.see(course.trials[0], seen("mnv1_n", 4), now=7)
    assert course.pace.seconds("mnv1_n", GFLOPS["mnv1_n"]) == pytest.approx(7)


def test_a_training_of_another_trial_is_none_of_the_running_ones() -> None:
    course = make_course(backbones=["mnv1_n"])
    course.begin(course.trials[0])
    assert not course.see(course.trials[0], seen("mnv1_m", 1), now=0)


def test_between_two_trainings_nothing_is_seen() -> None:
    course = make_course(backbones=["mnv1_n"])
    course.begin(course.trials[0])
    course.see(course.trials[0], seen("yolo11n", 4, "baseline"), now=0)
    assert not course.see(course.trials[0], Progress("", None), now=1)
    assert course.see(course.trials[0], seen("mnv1_n", 0), now=2)


def test_trials_that_run_at_the_same_time_share_the_time_that_is_left() -> None:
    course = make_course(backbones=["mnv1_n", "mnv1_s"])
    course.pace.add("yolo11n", seconds=30, work=3)
    for trial, backbone in zip(course.trials, ("mnv1_n", "mnv1_s"), strict=True):
        course.begin(trial)
        course.see(trial, seen("yolo11n", 0, "baseline"), now=0)
        course.see(trial, seen("yolo11n", EPOCHS, "baseline"), now=10 * EPOCHS * GFLOPS["yolo11n"])
        course.see(trial, seen(backbone, 0), now=10 * EPOCHS * GFLOPS["yolo11n"])
    assert course.time_left() == pytest.approx(10 * EPOCHS * (GFLOPS["mnv1_n"] + GFLOPS["mnv1_s"]) / 2)


def test_a_training_that_several_trials_wait_for_counts_once() -> None:
    course = make_course(backbones=["mnv1_n", "mnv1_s"])
    course.pace.add("yolo11n", seconds=30, work=3)
    for trial in course.trials:
        course.begin(trial)
        course.see(trial, seen("yolo11n", 3, "baseline"), now=0)
    left = GFLOPS["yolo11n"] + EPOCHS * (GFLOPS["mnv1_n"] + GFLOPS["mnv1_s"])
    assert course.time_left() == pytest.approx(10 * left)
