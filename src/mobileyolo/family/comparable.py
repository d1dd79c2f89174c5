"""Which trials can stand in one table: those of the same data and engine. The recipe is the study's, so it is the same.

What differs between the rows of a table is what the grid says; all else has to be equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mobileyolo.family.members import Member

Kind = Literal["data", "split", "images", "engine", "latency"]


@dataclass(frozen=True)
class Term:
    """Something that has to be equal.

    Attributes:
        kind: what it is.
        name: of the engine's part, such as `torch`, or what of the latency; "" elsewhere.
    """

    kind: Kind
    name: str = ""


@dataclass(frozen=True)
class Mismatch:
    """A term that differs: its value in a trial, and in the table."""

    term: Term
    found: str
    expected: str


@dataclass(frozen=True)
class Excluded:
    """A trial that is in no table, with the terms that differ."""

    trial: str
    mismatches: tuple[Mismatch, ...]


def comparable(members: Sequence[Member]) -> tuple[list[Member], list[Excluded]]:
    """The most trials that can be compared, the newest where as many can; and the others with the reason.

    What is not known of a trial, because its evidence is not at hand, excludes nothing.
    """
    groups: list[list[Member]] = []
    for member in members:
        fitting = [group for group in groups if not any(any(_mismatches(member, other)) for other in group)]
        if fitting:
            fitting[0].append(member)
        else:
            groups.append([member])
    if not groups:
        return [], []
    kept = max(groups, key=lambda group: (len(group), max(each.comparison.measured for each in group)))
    others = [member for group in groups if group is not kept for member in group]
    return kept, [Excluded(member.trial, _first_mismatches(member, kept)) for member in others]


def _first_mismatches(member: Member, kept: Sequence[Member]) -> tuple[Mismatch, ...]:
    """Those against the first trial of the table that it can't be compared with."""
    return next(found for other in kept if (found := tuple(_mismatches(member, other))))


def _mismatches(member: Member, other: Member) -> Iterator[Mismatch]:
    expected = dict(_terms(other))
    for term, found in _terms(member):
        if expected.get(term, found) != found:
            yield Mismatch(term, found, expected[term])


def _terms(member: Member) -> Iterator[tuple[Term, str]]:
    comparison = member.comparison
    yield Term("data"), comparison.data_digest
    yield Term("split"), comparison.split
    yield Term("images"), str(comparison.images)
    threads = {time.threads for arm in (comparison.baseline, comparison.candidate) for time in arm.times}
    yield Term("engine", "threads"), ", ".join(map(str, sorted(threads)))
    yield Term("latency", "threads"), str(comparison.latency_threads)
    yield Term("latency", "machine"), comparison.latency_machine
    if member.evidence:
        yield from ((Term("engine", key), value) for key, value in member.evidence.engine.items() if key != "threads")
