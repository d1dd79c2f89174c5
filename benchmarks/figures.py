"""Figures in docs/figures of what was measured at several sizes, which a table shows badly. Pure but for `write`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.circumstances import ROOT
from benchmarks.measuring import Case, figure
from benchmarks.results import Measurement, Results

FOLDER = ROOT / "docs/figures"
COLUMNS = 3
Line = Mapping[int, float]  # medians by size


class Panel(NamedTuple):
    """A part of a figure.

    Attributes:
        title: above it.
        across: what grows.
        up: what was measured.
        lines: by name.
    """

    title: str
    across: str
    up: str
    lines: Mapping[str, Line]


def growth(cases: Sequence[Case], results: Results) -> list[Panel]:
    """A panel for each stage and what it grows with."""
    panels = []
    for case in cases:
        if case.subject == "growth" and (found := results.find(case)):
            exponent = median(figure(case.figure, values) for values in found.rounds)
            stage, _, axis = case.name.partition(", by ")
            panels.append(Panel(f"{stage}: exponent {exponent:.2f}", axis, case.unit, {"": _line(found)}))
    return panels


def cluster(cases: Sequence[Case], results: Results) -> list[Panel]:
    """A panel for the rate, and one for each share of the requests."""
    lines = defaultdict[tuple[str, str], dict[str, Line]](dict)
    for case in cases:
        if case.subject == "cluster" and case.aim is None and (found := results.find(case)):
            kind, _, share = case.name.partition(", ")
            title, name = (f"time of a request, {share}", kind) if share else (case.name, "")
            lines[title, case.unit][name] = _line(found)
    return [Panel(title, "trials at a time", unit, found) for (title, unit), found in lines.items()]


def draw(panels: Sequence[Panel]) -> Figure:
    """A figure of these panels, with logarithmic axes."""
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    drawn = Figure(figsize=(4.2 * columns, 3.4 * rows), layout="constrained")
    for place, panel in enumerate(panels, start=1):
        axes = drawn.add_subplot(rows, columns, place)
        for name, line in panel.lines.items():
            axes.plot(list(line), list(line.values()), marker="o", label=name)
        axes.set(title=panel.title, xlabel=panel.across, ylabel=panel.up, xscale="log", yscale="log")
        sizes = sorted({size for line in panel.lines.values() for size in line})
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        if any(panel.lines):
            axes.legend(fontsize="small")
    return drawn


def write(cases: Sequence[Case], results: Results, folder: Path = FOLDER) -> None:
    """Write benchmarks-<subject>.png of each subject that was measured."""
    for subject, panels in (("growth", growth(cases, results)), ("cluster", cluster(cases, results))):
        if panels:
            draw(panels).savefig(folder / f"benchmarks-{subject}.png", dpi=100, metadata={"Software": None})


def _line(measured: Measurement) -> Line:
    """Medians by the number that a way's name begins with."""
    return dict(sorted((int(way.split()[0]), median(values)) for way, values in measured.values.items()))
