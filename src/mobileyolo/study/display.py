"""What a study shows: a live table on a terminal, lines elsewhere, and what was found (the only importer of rich)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table as LiveTable
from rich.text import Text

from mobileyolo.core.console import harmless, say
from mobileyolo.core.files import NONE
from mobileyolo.family.family import Family
from mobileyolo.family.members import Unjudged
from mobileyolo.reporting.comparison.words import interval
from mobileyolo.reporting.shared.cells import Table, markdown
from mobileyolo.reporting.shared.languages import ENGLISH
from mobileyolo.reporting.study import words
from mobileyolo.reporting.study.tables import recipe_table
from mobileyolo.study.course import Course
from mobileyolo.study.estimate import Pace, Profiles, disk_of, time_of, told_time
from mobileyolo.study.trials import Trial, distinct_trainings


class Display:
    """Shows a course while it goes on; to be used in a `with`."""

    def __init__(self, course: Course) -> None:
        self._course = course
        console = Console()
        self._live = Live(console=console, auto_refresh=False) if console.is_interactive else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def refresh(self) -> None:
        """Draw the table; where there is no terminal, there is none."""
        if self._live:
            self._live.update(live_table(self._course), refresh=True)

    def tell(self, line: str) -> None:
        """Say a line, where there is no table that shows the same."""
        if not self._live:
            say(line)


def live_table(course: Course) -> LiveTable:
    """Trials with their state, what is being trained, and the time that is left."""
    nodes = {name: run.node for name, run in course.running.items()}
    rows = tuple((each.name, each.recipe, nodes.get(each.name, ""), *row(course, each)) for each in course.trials)
    header = ("trial", "recipe", "node", "state", "training", "epoch", "mAP50-95", "left")
    shown = _without(Table(header, "lllllrrr", rows), {"recipe", "node"})
    table = LiveTable(caption=Text(summary(course)), caption_justify="left")
    for name, side in zip(shown.header, shown.align, strict=True):
        table.add_column(name, justify="left" if side == "l" else "right")
    for cells in shown.rows:
        table.add_row(*(Text(harmless(cell)) for cell in cells))
    return table


def row(course: Course, trial: Trial) -> tuple[str, str, str, str, str]:
    """State, training, epoch, mAP50-95 and time left of a trial; mAP is on val while it is being trained.

    In a study of recipes it stays on val: a recipe that is not chosen is judged nowhere else.
    """
    state = course.state(trial)
    if state == "done":
        comparison = course.results[trial.name]
        if trial.tuned:
            return state, "", "", f"{comparison.candidate.val_map50_95:.3f} (val)", ""
        return state, "", "", f"{comparison.metrics['map50_95'].candidate:.3f}", ""
    if state == "failed":
        return state, "", "", "", ""
    left = told_time(course.seconds_left([trial]))
    if state == "running" and (seen := course.running[trial.name].seen):
        reached = "" if seen.map50_95 is None else f"{seen.map50_95:.3f} (val)"
        return state, f"{seen.backbone}, seed {seen.seed}", f"{seen.epoch} of {seen.epochs}", reached, left
    return state, "", "", "", left


def summary(course: Course) -> str:
    """One line: trials that are done and failed, and the time that is left."""
    failed = f", {len(course.failed)} failed" if course.failed else ""
    left = f"; time left: {told_time(course.time_left())}" if course.running or course.waiting() else ""
    return f"{len(course.results)} of {len(course.trials)} trials done{failed}{left}"


def plan_table(trials: Sequence[Trial], done: Sequence[Trial], profiles: Profiles, pace: Pace) -> Table:
    """What `--dry-run` shows: for each trial what it trains that none before it has trained, with time and disk."""
    rows, trained = [], list(done)
    for trial in trials:
        if trial in done:
            cells = ("done", "0", "", "")
        else:
            own = distinct_trainings([trial], trained)
            time = told_time(time_of(own, trial.epochs, profiles, pace))
            cells = ("waiting", str(len(own)), time, told_disk(disk_of(own, profiles)))
            trained.append(trial)
        rows.append((trial.name, trial.backbone, str(trial.imgsz), trial.start, trial.teacher, trial.recipe, *cells))
    header = ("trial", "backbone", "px", "start", "teacher", "recipe", "state", "trainings", "time", "weights")
    return _without(Table(header, "llrllllrrr", tuple(rows)), {"recipe"})


def told_disk(size: int) -> str:
    """Bytes for people.

    >>> told_disk(20_400_000)
    '20 MB'
    """
    return f"{size / 1e6:,.0f} MB"


def findings_table(family: Family) -> Table:
    """What the trials that are done have found; each baseline once, above the candidates on equal terms with it."""
    rows = []
    for model in family.models:
        terms = (str(model.setup.imgsz), model.setup.start, model.setup.teacher, model.recipe)
        told, latency = model.lead, model.costs["latency_ms"]
        difference = (f"{told.interval.delta:+.3f}", interval(told.interval, ENGLISH)) if told else ("", "")
        provisional = ", provisional" if family.comparison.provisional else ""
        rows.append(
            (
                model.backbone,
                *terms,
                f"{model.map50_95:.3f}",
                *difference,
                f"{told.verdict}{provisional}" if told else "",
                f"x {latency.ratio:.2f}{' (busy)' if latency.busy else ''}" if latency.ratio else "",
                f"{model.costs['parameters'].value / 1e6:.2f} M",
            )
        )
    header = ("backbone", "px", "start", "teacher", "recipe", "mAP50-95", "difference",
              f"{words.percent(family.confidence)} interval", "verdict", "latency", "parameters")  # fmt: skip
    return _without(Table(header, "lrlllrrrlrr", tuple(rows)), {"start", "teacher", "recipe"})


def description(course: Course, family: Family | None, unjudged: Sequence[Unjudged] = ()) -> str:
    """What MLflow's page says of the study, in Markdown; without a table until a candidate is judged."""
    missing = [f"`{name}` failed." for name in sorted(course.failed)]
    missing += [f"Not judged yet: {words.unjudged(each, ENGLISH)}" for each in unjudged]
    found = [markdown(findings_table(family))] if family else []
    if family and family.tuned:
        found += [words.chosen(family, ENGLISH), markdown(recipe_table(family, ENGLISH))]
    told = f"A study of {len(course.trials)} trials, each one a DVC experiment: {len(course.results)} done."
    note = "Its runs are the children of this one; those that another study trained before stay that study's."
    return "\n\n".join([told, *missing, *found, note])


def _without(table: Table, columns: set[str]) -> Table:
    """A table without those of these columns that hold nothing but `none`, or nothing at all."""
    kept = [
        place
        for place, name in enumerate(table.header)
        if name not in columns or any(cells[place] not in {NONE, ""} for cells in table.rows)
    ]
    rows = tuple(tuple(cells[place] for place in kept) for cells in table.rows)
    return Table(tuple(table.header[place] for place in kept), "".join(table.align[place] for place in kept), rows)


def told_failure(trial: Trial, log: Path) -> str:
    """A line on a trial that failed, with the last line of its log that names an error."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    reason = f": {errors[0].partition(':')[2].strip()}" if errors else ""
    return f"{trial.name} has failed{reason} (log: {log.as_posix()})"
