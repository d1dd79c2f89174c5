"""Run a study: compare several backbones with the baseline, at several resolutions, starts and teachers, seed by seed.

The section study of params.yaml names what is combined. Each combination is a trial: a DVC experiment of the present
commit that runs in a temporary folder. What trials have in common, such as the baseline, is trained once. What they
have found is printed and, with figures and the one model to take, written to reports/study/index.html.

The same command goes on with what is missing: after Ctrl-C, a kill or a power cut, after a trial failed, and after
values were added to the grid. A failed trial stops no other one; its log is in .mobileyolo/studies/.

With study.recipes, both arms are trained with each recipe; one is chosen for each arm on val, and judged once on test.

With --engine ray, trials run on the machines of a Ray cluster at the same time, each one with what study.resources
names. Data and results come from and go to the default DVC remote, runs to MLflow's server (MLFLOW_TRACKING_URI).
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from mobileyolo.commands.option_types import whole
from mobileyolo.core.console import say
from mobileyolo.core.environment import STATE_DIR, git_commit, processor, termination_raises, threads
from mobileyolo.core.errors import ConfigError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mobileyolo.family.family import Family
    from mobileyolo.study.course import Course
    from mobileyolo.study.display import Display
    from mobileyolo.study.engines import Engine, Work
    from mobileyolo.study.estimate import Pace, Profiles
    from mobileyolo.study.parameters import Resources
    from mobileyolo.study.trials import Trial
    from mobileyolo.study.tuning import Tuned
    from mobileyolo.study.watching import Progress
    from mobileyolo.tracking import StudyRun
    from mobileyolo.verdict.records import Comparison

SUMMARY = "compare a grid of backbones, resolutions, starts and teachers with the baseline"
EXTRA = "pipeline"
EXAMPLES = """examples:
  mobileyolo study --dry-run
  mobileyolo study
  mobileyolo study --engine ray --address ray-head:6379 --max-concurrent 4
"""

LOGS_DIR = STATE_DIR / "studies"
POLL = 1.0  # seconds between two looks at what is being trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether it only says what it would do, and what runs the trials."""
    parser.add_argument("--dry-run", action="store_true", help="list the trials with their time and disk; run nothing")
    parser.add_argument(
        "--engine",
        choices=["dvc", "ray"],
        default="dvc",
        help="what runs the trials: dvc, one after the other on this machine, or ray, on a cluster (default: dvc)",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of the Ray cluster (default: RAY_ADDRESS, else the one that runs on this machine, else one of it alone)",
    )
    parser.add_argument(
        "--max-concurrent",
        metavar="N",
        type=whole(1, 10_000),
        help="run at most N trials, or trainings that they share, at the same time on the cluster (default: no limit)",
    )


def run(dry_run: bool, engine: str, address: str | None = None, max_concurrent: int | None = None) -> None:
    """Run the trials that are missing, and print what all of them have found."""
    from mobileyolo.core.config import load_params
    from mobileyolo.parameters import check_parameters
    from mobileyolo.reporting.shared.cells import console
    from mobileyolo.study.course import Course
    from mobileyolo.study.display import Display, plan_table
    from mobileyolo.study.trials import study_name, trials_of

    values = load_params().values
    options = check_parameters(values).study
    trials = trials_of(options, values)
    for trial in trials:
        try:
            # The recipes are checked already, against the section train that they change.
            check_parameters({**trial.values, "study": {**values["study"], "recipes": []}})
        except ConfigError as error:
            raise ConfigError(f"section study, trial {trial.name}: {error}") from None
    runner = _engine(engine, values, options.resources, address, max_concurrent)
    results = runner.results({trial.name for trial in trials})
    course = Course(trials, results, _profiles(trials), _pace(results.values()))
    if dry_run:
        say(
            console(plan_table(trials, [each for each in trials if each.name in results], course.profiles, course.pace))
        )
        say(_told_estimate(course))
        return
    from mobileyolo.tracking import study_run  # seconds, which a dry run does without

    with termination_raises(), study_run(study_name(trials, git_commit())) as tracked, closing(runner):
        try:
            with Display(course) as display:
                _track(course, runner, tracked)
                failures = _run_trials(course, runner, display, tracked)
        except BaseException:
            _tell(course, runner, pairwise=False)  # who has stopped the study does not want to wait
            raise
        if failures:
            tracked.failure = f"{len(failures)} of {len(trials)} trials failed"
        _tell(course, runner, pairwise=True)
    if failures:
        listed = "\n".join(failures)
        raise UserError(f"{len(failures)} of {len(trials)} trials failed; the same command tries them again\n{listed}")


def _engine(
    name: str, values: Mapping[str, Any], resources: Resources, address: str | None, max_concurrent: int | None
) -> Engine:
    """The engine of this name; only that of Ray takes more than params.yaml.

    Raises:
        UserError: another one got an option of Ray's.
    """
    from mobileyolo.study.engines import ENGINES

    if name == "ray":
        from mobileyolo.study.cluster import RayEngine  # belongs to an extra

        return RayEngine(values, resources, address, max_concurrent)
    if address or max_concurrent:
        raise UserError(f"--address and --max-concurrent are for --engine ray; --engine {name} runs on this machine")
    return ENGINES[name](values)


def _found(course: Course, engine: Engine, pairwise: bool) -> tuple[Family | None, Tuned]:
    """What the trials that are done have found, None before any candidate is judged; and what is judged of them.

    Args:
        course: with these trials.
        engine: that has their statistics.
        pairwise: compare the candidates with each other as well.
    """
    from mobileyolo.family.family import Family
    from mobileyolo.study.members import members_of
    from mobileyolo.study.tuning import at_their_best

    def across(baseline: Trial, candidate: Trial) -> Comparison:
        names = baseline.name, candidate.name
        if names not in course.across:  # it takes as long as a trial's comparison
            course.across[names] = engine.across(baseline, candidate)
        return course.across[names]

    evidence = engine.evidence(course.results, statistics=pairwise)
    members = list(members_of(course.trials, course.results, evidence))
    tuned = at_their_best(course.trials, members, across)
    family = Family.of(tuned.members, pairwise, tuned.unjudged, tuned.excluded) if tuned.members else None
    return family, tuned


def _tell(course: Course, engine: Engine, pairwise: bool) -> None:
    """Print what was found, and write it as a page; for the arguments see `_found`."""
    from mobileyolo.reporting.shared.cells import console
    from mobileyolo.reporting.shared.languages import ENGLISH
    from mobileyolo.reporting.study import tables, words
    from mobileyolo.reporting.study.report import STUDY_PAGE, write_study
    from mobileyolo.study.display import findings_table

    if not course.results:
        return
    if pairwise:
        say("Puts the models side by side ...")
    family, tuned = _found(course, engine, pairwise)
    for candidate in tuned.unjudged:
        say(f"Not judged yet: {words.unjudged(candidate, ENGLISH)}")
    for each in family.excluded if family else tuned.excluded:
        say(f"Left out: {each.trial} is {words.excluded(each, ENGLISH)}")
    if family is None:
        return
    say(f"\n{console(findings_table(family))}\n")
    if family.tuned:
        say(f"{console(tables.recipe_table(family, ENGLISH))}\n")
    say(f"{words.headline(family, ENGLISH)} {words.reason(family, ENGLISH)}".rstrip())
    if said := words.chosen(family, ENGLISH):
        say(said)
    say(words.intervals(family, ENGLISH))
    if family.recommendation.model:
        say(f"Before you ship it: {words.confirmation(family, ENGLISH)}")
    say(f"Trials: {', '.join(trial.name for trial in course.trials if trial.name in course.results)}")
    write_study(family)
    say(f"Page:   {STUDY_PAGE.absolute()}")


def _track(course: Course, engine: Engine, tracked: StudyRun) -> None:
    """Let MLflow know how far the study is."""
    from mobileyolo.reporting.study.tables import as_csv
    from mobileyolo.study.course import weights_of
    from mobileyolo.study.display import description

    ended = {name: weights_of(result) for name, result in course.results.items()}
    ended |= {name: set() for name in course.failed}
    if ended:
        family, tuned = _found(course, engine, pairwise=False)
        tracked.log(ended, description(course, family, tuned.unjudged), as_csv(family) if family else "")


def _run_trials(course: Course, engine: Engine, display: Display, tracked: StudyRun) -> list[str]:
    """Run those that are waiting; a line for each one that failed."""
    from mobileyolo.study.display import row, summary, told_failure

    failures = list[str]()
    # Several at a time: the longest one must not begin last, when nobody has anything else to do.
    waiting = course.waiting() if engine.at_once == 1 else course.longest_first()
    works: dict[str, tuple[Trial, Work]] = {}
    try:
        while waiting or works:
            while waiting and len(works) < engine.at_once:
                trial = waiting.pop(0)
                works[trial.name] = trial, engine.begin(trial, _log(trial))
            for place, (trial, work) in enumerate([*works.values()]):
                succeeded = work.ended(0 if place else POLL)  # the first one waits, and the others only look
                _see(course, trial, work.progress(), display)
                if succeeded is None:
                    continue
                del works[trial.name]
                course.end(trial, _result(engine, trial) if succeeded else None)
                state, _, _, reached, _ = row(course, trial)
                if state == "failed":
                    failures.append(told_failure(trial, _log(trial)))
                display.tell(failures[-1] if state == "failed" else f"{trial.name} is done: mAP50-95 {reached}")
                display.tell(summary(course))
                _track(course, engine, tracked)
            display.refresh()
    except BaseException:
        for _, work in works.values():
            work.stop()
        raise
    return failures


def _result(engine: Engine, trial: Trial) -> Comparison | None:
    """Of a trial that has ended well; None, with the reason in its log, where it can't be read."""
    try:
        if result := engine.results({trial.name}).get(trial.name):
            return result
        reason = "no experiment of this name belongs to the commit"
    except UserError as error:
        reason = str(error)
    with _log(trial).open("a", encoding="utf-8") as log:
        log.write(f"error: {reason}\n")
    return None


def _see(course: Course, trial: Trial, progress: Progress | None, display: Display) -> None:
    """Take in how far a trial is that has been handed in, and tell what is new; None while it has no place to run."""
    if progress is None:
        if run := course.running.get(trial.name):
            run.seen = None
        return
    where = f" on {progress.node}" if progress.node else ""
    if trial.name not in course.running:
        course.begin(trial)
        display.tell(f"{trial.name} begins{where}; its log: {_log(trial).as_posix()}")
    if course.see(trial, progress, time.monotonic()) and (seen := progress.seen):
        display.tell(f"{trial.name}: {seen.arm} {seen.backbone}, seed {seen.seed}{where}")


def _log(trial: Trial) -> Path:
    return LOGS_DIR / f"{trial.name}.log"


def _told_estimate(course: Course) -> str:
    """The whole study in a sentence, and what the estimate is made of."""
    from mobileyolo.study.display import told_disk
    from mobileyolo.study.estimate import disk_of, told_time
    from mobileyolo.study.trials import distinct_trainings

    waiting = course.waiting()
    done = [trial for trial in course.trials if trial.name in course.results]
    trainings = distinct_trainings(waiting, done)
    seconds = course.seconds_left(waiting)
    basis = (
        "no training of these data on this machine has ended yet, of which it could be estimated"
        if seconds is None
        else "estimated from earlier trainings of these data on this machine, by epochs and GFLOPs"
    )
    return (
        f"\n{len(waiting)} of {len(course.trials)} trials are to be run, with {len(trainings)} trainings.\n"
        f"Time of the trainings: {told_time(seconds)} ({basis}; what DVC's run-cache has takes none).\n"
        f"Weights on the disk: {told_disk(disk_of(trainings, course.profiles))}, in DVC's cache and MLflow's store."
    )


def _profiles(trials: Sequence[Trial]) -> Profiles:
    """Parameters and GFLOPs of all models of a study."""
    from mobileyolo.commands.last_run import last_dataset
    from mobileyolo.core.files import DATASET_FILE
    from mobileyolo.costs.profile import profile
    from mobileyolo.models import bridge
    from mobileyolo.models.architecture import model_dict

    # Before the first run the number of classes is not known; it changes the head only.
    classes = len(last_dataset().names) if DATASET_FILE.is_file() else 80
    stock = bridge.stock_architecture()
    wanted = dict.fromkeys((each.backbone, each.imgsz) for trial in trials for each in trial.trainings())
    return {
        (backbone, imgsz): profile(backbone, model_dict(backbone, classes, stock), imgsz) for backbone, imgsz in wanted
    }


def _pace(results: Iterable[Comparison]) -> Pace:
    """What earlier trainings of the same data took: those of the study's trials, and of the workspace."""
    from mobileyolo.commands.last_run import last_comparison, last_dataset
    from mobileyolo.core.files import COMPARISON_FILE, DATASET_FILE
    from mobileyolo.study.estimate import Pace

    pace, known = Pace(), list(results)
    if COMPARISON_FILE.is_file():
        known.append(last_comparison())
    if DATASET_FILE.is_file():
        digest = last_dataset().digest
        known = [comparison for comparison in known if comparison.data_digest == digest]
    for comparison in known:
        pace.add_comparison(comparison, processor(), threads())
    return pace
