"""Measure this project beside its peers: python -m benchmarks, or make bench.

Stopped with Ctrl-C, the same command goes on: every finished round is in reports/benchmarks.json. A benchmark is
measured again if the code, a version, the machine or the size has changed since. The tables go to
docs/reference/benchmarks.md, and figures of what grows to docs/figures.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks import table
from benchmarks.circumstances import ROOT, Circumstances
from benchmarks.measuring import Case, Scale
from benchmarks.results import Results, measure
from mobileyolo.core import environment
from mobileyolo.core.errors import UserError

SUBJECTS = (
    *("training", "neighbour", "overhead", "validation", "evaluation", "bootstrap", "report", "growth"),
    *("deployment", "parts", "study", "cluster"),
)


def all_cases(scale: Scale) -> list[Case]:
    """The cases of every subject."""
    found: list[Case] = []
    for subject in SUBJECTS:
        found += import_module(f"benchmarks.{subject}").cases(scale)
    return found


def chosen(cases: list[Case], names: list[str]) -> list[Case]:
    """The cases that were asked for: of whole subjects, or those whose name has this text in it.

    Args:
        cases: all of them.
        names: a subject such as training, or training/mnv1_n; none for all cases.

    Raises:
        UserError: a name is of no case.
    """
    found: dict[tuple[str, str], Case] = {}
    for name in names:
        subject, _, text = name.partition("/")
        asked = {(case.subject, case.name): case for case in cases if case.subject == subject and text in case.name}
        if not asked:
            raise UserError(f"{name!r}: no such benchmark; choose from {', '.join(SUBJECTS)}, or see --list")
        found |= asked
    return list(found.values()) if names else cases


def main() -> int:
    """Measure what is missing, and write the tables."""
    parser = _parser()
    options = parser.parse_args()
    environment.isolate(ROOT)  # before a benchmark in this process imports Ultralytics or an engine
    scale = Scale(options.quick, options.data)
    file = options.json or ROOT / f"reports/benchmarks{'-quick' if options.quick else ''}.json"
    everything, failed = all_cases(scale), []
    try:
        asked = chosen(everything, options.name)
    except UserError as error:
        parser.error(str(error))
    if options.data and not options.data.is_dir():
        parser.error(f"--data: {options.data}: no such folder")
    if options.list:
        print("\n".join(f"{case.subject}/{case.name}" for case in asked))
        return 0
    try:
        with environment.termination_raises():
            for case in asked:
                try:
                    _measure(case, file, options.again)
                except UserError as error:  # the others are measured all the same
                    failed.append(case)
                    print(f"{case.subject}/{case.name}: {error}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(f"\nstopped; the same command goes on from {file}", file=sys.stderr)
        return 130
    finally:
        if not options.quick and not options.json:
            _write_docs(everything, file)
    return 1 if failed else 0


def _write_docs(cases: list[Case], file: Path) -> None:
    from benchmarks import figures  # imports matplotlib, which takes a second

    table.write_page(table.tables(cases, Results.load(file)))
    figures.write(cases, Results.load(file))


def _measure(case: Case, file: Path, again: bool) -> None:
    label = f"{case.subject}/{case.name}"
    for number in measure(case, file, Circumstances.of(case.subject), again=again):
        print(f"{label}: round {number} of {case.rounds}", flush=True)
    print(table.row(case, Results.load(file).find(case), {}), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help="a subject, such as training, or a part of it, such as training/mnv1_n")
    parser.add_argument("--quick", action="store_true", help="small sizes and one round, only to see that all works")
    parser.add_argument("--again", action="store_true", help="measure again what was measured already")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="a YOLO dataset to train on; it is copied first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go, without a table in the docs")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
