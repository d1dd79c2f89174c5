"""reports/benchmarks.json: what was measured, where and of which code. It is written after every round."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from benchmarks.circumstances import Circumstances
from benchmarks.measuring import Case, Sample
from mobileyolo.core.files import Record


class Measurement(Record):
    """All rounds of a case so far."""

    subject: str
    name: str
    size: dict[str, int | str]
    circumstances: Circumstances
    measured: str  # UTC, ISO 8601, when its last round ended
    values: dict[str, tuple[float, ...]]  # by way, of each round
    memory_mb: dict[str, float]  # by way, the most of all rounds, where it was watched

    @property
    def rounds(self) -> tuple[dict[str, float], ...]:
        """Values by way, for each round."""
        return tuple(dict(zip(self.values, values, strict=True)) for values in zip(*self.values.values(), strict=True))


class Results(Record):
    """All measurements."""

    measurements: tuple[Measurement, ...] = ()

    @classmethod
    def load(cls, file: Path) -> Self:
        """Those in a file; none without one."""
        return cls.read(file) if file.is_file() else cls()

    def find(self, case: Case) -> Measurement | None:
        """What was measured of a case, in any circumstances and of any size."""
        named = (each for each in self.measurements if (each.subject, each.name) == (case.subject, case.name))
        return next(named, None)

    def begun(self, case: Case, circumstances: Circumstances) -> Measurement | None:
        """What was measured of a case, if that still holds."""
        found = self.find(case)
        same = found and (found.size, found.circumstances) == (dict(case.size), circumstances)
        return found if same else None

    def with_round(self, case: Case, circumstances: Circumstances, samples: dict[str, Sample]) -> Results:
        """These with one more round of a case, or its first one."""
        before = self.begun(case, circumstances)
        values = before.values if before else dict.fromkeys(samples, ())
        memory = dict(before.memory_mb) if before else {}
        for way, sample in samples.items():
            if sample.memory_mb is not None:
                memory[way] = round(max(sample.memory_mb, memory.get(way, 0)), 1)
        measured = Measurement(
            subject=case.subject,
            name=case.name,
            size=dict(case.size),
            circumstances=circumstances,
            measured=datetime.now(UTC).isoformat(timespec="seconds"),
            values={way: (*values[way], round(sample.value, 6)) for way, sample in samples.items()},
            memory_mb=memory,
        )
        return Results(measurements=(*(self.without(case).measurements), measured))

    def without(self, case: Case) -> Results:
        """These without a case."""
        named = self.find(case)
        return Results(measurements=tuple(each for each in self.measurements if each is not named))


def measure(case: Case, file: Path, circumstances: Circumstances, *, again: bool = False) -> Iterator[int]:
    """Measure what is missing of a case, and keep each round in the file as soon as it has ended.

    Args:
        case: what to measure.
        file: of the results.
        circumstances: the present ones.
        again: measure all of it, whatever is there.

    Yields:
        The number of rounds that are there, after each.
    """
    if again:
        Results.load(file).without(case).write(file)
    before = Results.load(file).begun(case, circumstances)
    done = len(before.rounds) if before else 0
    if done < case.rounds:
        for number, samples in enumerate(case.measure(done), start=done + 1):
            Results.load(file).with_round(case, circumstances, samples).write(file)
            yield number
