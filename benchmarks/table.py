"""The tables in docs/reference/benchmarks.md, made from what was measured. Pure but for `write_page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from string import ascii_lowercase

from benchmarks.circumstances import ROOT
from benchmarks.measuring import Case, figure
from benchmarks.results import Measurement, Results
from mobileyolo.core.files import write_text
from mobileyolo.verdict.latency_ratio import median_interval, relative_spread

PAGE = ROOT / "docs/reference/benchmarks.md"
BEGIN, END = "<!-- benchmarks: begin -->\n", "<!-- benchmarks: end -->\n"
CONFIDENCE = 0.95
HEAD = (
    "| benchmark | size | medians | figure | 95% interval | rounds | aim | reached | on |",
    "| :-- | :-- | :-- | --: | --: | --: | :-- | :-- | :-- |",
)


def tables(cases: Sequence[Case], results: Results) -> str:
    """A heading and a table for each subject, and below all of them what they were measured on."""
    measured = [found for case in cases if (found := results.find(case))]
    marks = dict(zip(dict.fromkeys(map(_place, measured)), ascii_lowercase, strict=False))
    lines = []
    for subject in dict.fromkeys(case.subject for case in cases):
        rows = [row(case, results.find(case), marks) for case in cases if case.subject == subject]
        lines += [f"### {subject.capitalize()}", "", *HEAD, *rows, ""]
    return "\n".join([*lines, *_notes(measured, marks)])


def row(case: Case, measured: Measurement | None, marks: Mapping[str, str]) -> str:
    """A line of the table.

    Args:
        case: what is measured.
        measured: its rounds, if there are any.
        marks: letter of each machine with its versions.
    """
    aim = _aim(case)
    if measured is None:
        return _cells(case.name, _size(case.size), "not measured yet", "", "", "", aim, "", "")
    figures = [figure(case.figure, values) for values in measured.rounds]
    low, high = median_interval(figures, CONFIDENCE)
    between = "" if low is None or high is None else f"{low:.3g} to {high:.3g}"
    return _cells(
        case.name,
        _size(measured.size),
        "; ".join(_median(case, measured, way) for way in measured.values),
        f"{median(figures):.3g}" + (" s" if case.figure == "value" and case.unit == "s" else ""),
        between,
        str(len(figures)),
        aim,
        _reached(case, measured, figures),
        marks.get(_place(measured), ""),
    )


def write_page(text: str, page: Path = PAGE) -> None:
    """Put the tables between the page's markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(page, f"{before}{BEGIN}\n{text}\n{END}{after}")


def _median(case: Case, measured: Measurement, way: str) -> str:
    values = measured.values[way]
    spread = f" ± {100 * relative_spread(values) / 2:.0f} %" if len(values) > 1 else ""
    memory = f", {measured.memory_mb[way]:,.0f} MB" if way in measured.memory_mb else ""
    return f"{way} {median(values):.4g} {case.unit}{spread}{memory}"


def _aim(case: Case) -> str:
    wanted = [f"{case.aim.bound} {case.aim.value:g}"] if case.aim else []
    if case.memory_aim_mb:
        wanted.append(f"at most {case.memory_aim_mb:,.0f} MB")
    return ", ".join(wanted)


def _reached(case: Case, measured: Measurement, figures: Sequence[float]) -> str:
    """Are all of the aims reached? The interval decides, or all rounds where there are too few for one."""
    low, high = median_interval(figures, CONFIDENCE)
    found = (
        [case.aim.reached(min(figures) if low is None else low, max(figures) if high is None else high)]
        if (case.aim)
        else []
    )
    if case.memory_aim_mb:
        most = measured.memory_mb.get(next(iter(measured.values)))
        found.append("unsure" if most is None else "yes" if most <= case.memory_aim_mb else "no")
    return next((answer for answer in ("no", "unsure", "yes") if answer in found), "")


def _place(measured: Measurement) -> str:
    """The machine and its versions."""
    versions = measured.circumstances.versions
    return f"{measured.circumstances.machine}. {', '.join(f'{name} {number}' for name, number in versions.items())}"


def _notes(measured: Sequence[Measurement], marks: Mapping[str, str]) -> Iterator[str]:
    """Each machine with its versions, and of which commits it has measured."""
    for place, mark in marks.items():
        commits = dict.fromkeys(each.circumstances.commit for each in measured if _place(each) == place)
        yield f"<sub>{mark}: measured on {place}. Commits: {', '.join(commits)}.</sub>\n"


def _size(size: Mapping[str, int | str]) -> str:
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in size.items()
    )


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
