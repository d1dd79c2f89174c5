"""The tables in docs/reference/benchmarks.md, made from what was measured. Pure but for `write_page`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.circumstances import ROOT
from benchmarks.measuring import Case, figure
from benchmarks.results import Measurement, Results
from mobileyolo.core.files import write_text
from mobileyolo.verdict.latency_ratio import median_interval, relative_spread

PAGE = ROOT / "docs/reference/benchmarks.md"
BEGIN, END = "<!-- benchmarks: begin -->\n", "<!-- benchmarks: end -->\n"
CONFIDENCE = 0.95
HEAD = (
    "| benchmark | size | medians | figure | 95% interval | rounds | aim | reached |",
    "| :-- | :-- | :-- | --: | --: | --: | :-- | :-- |",
)


def tables(cases: Sequence[Case], results: Results) -> str:
    """A heading and a table for each subject, and below all of them what they were measured on."""
    lines = []
    for subject in dict.fromkeys(case.subject for case in cases):
        rows = [row(case, results.find(case)) for case in cases if case.subject == subject]
        lines += [f"### {subject.capitalize()}", "", *HEAD, *rows, ""]
    measured = [found for case in cases if (found := results.find(case))]
    return "\n".join([*lines, *_notes(measured)])


def row(case: Case, measured: Measurement | None) -> str:
    """A line of the table."""
    aim = _aim(case)
    if measured is None:
        return _cells(case.name, _size(case.size), "not measured yet", "", "", "", aim, "")
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


def _notes(measured: Iterable[Measurement]) -> Iterator[str]:
    """On which machines, of which commits and with which versions; one line for each combination."""
    named: dict[str, list[str]] = {}
    for each in measured:
        where = each.circumstances
        versions = ", ".join(f"{name} {version}" for name, version in where.versions.items())
        named.setdefault(f"{where.machine}. {versions}", []).append(where.commit)
    for place, commits in named.items():
        yield f"<sub>Measured on {place}. Commits: {', '.join(dict.fromkeys(commits))}.</sub>\n"


def _size(size: Mapping[str, int | str]) -> str:
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in size.items()
    )


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
