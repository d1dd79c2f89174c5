from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from mobileyolo.family.family import Family
from mobileyolo.reporting.shared.cells import console
from mobileyolo.study.display import findings_table, live_table, plan_table, row, told_failure
from mobileyolo.study.watching import Progress, Sighting
from tests.synthetic_comparison import make_comparison
from tests.synthetic_family import make_member
from tests.synthetic_study import EPOCHS, make_course

RESULT = make_comparison(seeds=3)


def test_a_row_says_how_far_a_trial_is() -> None:
    course = make_course()
    done, running, waiting = course.trials
    course.begin(done)
    course.end(done, RESULT)
    course.begin(running)
    course.pace.add("mnv1_s", seconds=60, work=1)
    course.see(running, Progress("", Sighting("candidate", "mnv1_s", 0, 1, EPOCHS, 0.25)), now=0)
    assert row(course, done) == ("done", "", "", f"{RESULT.metrics['map50_95'].candidate:.3f}", "")
    assert row(course, running) == ("running", "mnv1_s, seed 0", "1 of 4", "0.250 (val)", "0:06 h")
    assert row(course, waiting)[0] == "waiting"


def test_the_live_table_names_every_trial_and_what_is_left_in_all() -> None:
    course = make_course()
    course.begin(course.trials[0])
    course.end(course.trials[0], None)
    shown = StringIO()
    Console(file=shown, width=120).print(live_table(course))
    assert all(trial.name in shown.getvalue() for trial in course.trials)
    assert "0 of 3 trials done, 1 failed; time left: unknown" in shown.getvalue()


def test_where_trials_run_on_other_machines_the_table_names_them() -> None:
    course = make_course()
    shown = StringIO()
    Console(file=shown, width=140).print(live_table(course))
    assert " node " not in shown.getvalue()
    course.begin(course.trials[1])
    course.see(course.trials[1], Progress("gpu-7", Sighting("candidate", "mnv1_s", 0, 1, EPOCHS, 0.25)), now=0)
    Console(file=shown, width=140).print(live_table(course))
    assert " node " in shown.getvalue()
    assert [line for line in shown.getvalue().splitlines() if "gpu-7" in line and course.trials[1].name in line]


def test_the_plan_counts_for_each_trial_what_none_before_it_trains() -> None:
    course = make_course()
    first, *_ = course.trials
    table = plan_table(course.trials, [first], course.profiles, course.pace)
    trainings = table.header.index("trainings")
    assert [cells[trainings] for cells in table.rows] == ["0", "1", "1"]
    fresh = plan_table(course.trials, [], course.profiles, course.pace)
    assert [cells[trainings:] for cells in fresh.rows] == [
        ("2", "unknown", "8 MB"), ("1", "unknown", "4 MB"), ("1", "unknown", "4 MB"),
    ]  # fmt: skip


def test_a_study_of_recipes_shows_them_and_no_test_figure_of_one_trial() -> None:
    course = make_course(backbones=["mnv1_n"], recipes=[{"lr0": 0.0007}, {}])
    course.begin(course.trials[0])
    course.end(course.trials[0], RESULT)
    assert row(course, course.trials[0])[3] == f"{RESULT.candidate.val_map50_95:.3f} (val)"
    assert [str(cell) for cell in live_table(course).columns[1].cells] == ["lr0 0.0007", "lr0 0.002"]
    plan = plan_table(course.trials, [], course.profiles, course.pace)
    place = plan.header.index("recipe")
    assert [(cells[place], cells[plan.header.index("trainings")]) for cells in plan.rows] == [
        ("lr0 0.0007", "2"), ("lr0 0.002", "2"),
    ]  # fmt: skip
    plain = make_course()
    assert "recipe" not in plan_table(plain.trials, [], plain.profiles, plain.pace).header
    assert "recipe" not in [column.header for column in live_table(plain).columns]


def test_what_was_found_has_each_baseline_once_and_leaves_out_what_is_none_everywhere() -> None:
    family = Family.of([make_member("mnv1_n", -0.1), make_member("mnv1_s", busy=True)])
    table = findings_table(family)
    assert [cells[0] for cells in table.rows] == ["yolo11n", "mnv1_n", "mnv1_s"]
    assert table.header[:3] == ("backbone", "px", "mAP50-95")
    candidate = dict(zip(table.header, table.rows[1], strict=True))
    lead = family.models[1].lead
    assert lead is not None
    assert candidate["difference"] == "-0.100"
    assert candidate["97.5% interval"] == f"{lead.interval.low:+.3f} to {lead.interval.high:+.3f}"
    assert (candidate["verdict"], candidate["latency"]) == ("worse", "x 0.80")
    assert table.rows[2][table.header.index("latency")] == "x 0.92 (busy)"


def test_a_start_and_a_teacher_have_a_column_where_there_is_one() -> None:
    shown = console(findings_table(Family.of([make_member(), make_member(start="imagenet")])))
    assert shown.count("imagenet") == 2  # of the baseline and of the candidate
    assert "teacher" not in shown


def test_one_seed_is_said_to_be_provisional() -> None:
    assert "worse, provisional" in console(findings_table(Family.of([make_member(seeds=1)])))


def test_a_failure_is_told_with_its_error_and_its_log(tmp_path: Path) -> None:
    (trial,) = make_course(backbones=["mnv1_n"]).trials
    log = tmp_path / "trial.log"
    log.write_text("Running stage 'check':\nerror: params.yaml: wrong\nERROR: failed to reproduce\n")
    assert told_failure(trial, log) == f"{trial.name} has failed: params.yaml: wrong (log: {log.as_posix()})"
    log.write_text("Killed\n")
    assert told_failure(trial, log) == f"{trial.name} has failed (log: {log.as_posix()})"
