"""What is measured: ways to do the same work, taken in turn, so that a disturbance of the machine hits all of them.

Rounds go A B, B A, A B and so on. Each gives one figure, such as a ratio, and the median of the figures counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

LEAST = 0.01  # of an exponent's growth, in seconds: what is less can't be told from nothing
INTERVAL_ROUNDS = 6  # from which the interval of a median is sure to 95 %

Figure = Literal["value", "ratio", "exponent"]


class Sample(NamedTuple):
    """One measurement of one way."""

    value: float
    memory_mb: float | None = None  # the most at a time


Way = Callable[[], Sample]
Ways = Mapping[str, Way]  # by name; of a ratio the way that is judged comes first, its peer second


class Scale(NamedTuple):
    """How much is measured."""

    quick: bool = False  # small sizes and one round, to see that it works
    data: Path | None = None  # a YOLO dataset to train on; else one is generated

    def rounds(self, wanted: int = INTERVAL_ROUNDS) -> int:
        """Rounds of a case."""
        return 1 if self.quick else wanted


class Aim(NamedTuple):
    """What a figure should reach."""

    bound: Literal["at least", "at most"]
    value: float

    def reached(self, low: float, high: float) -> str:
        """Is a figure between these two on the right side? Unsure if the aim lies between them."""
        low_reached, high_reached = (
            figure >= self.value if self.bound == "at least" else figure <= self.value for figure in (low, high)
        )
        if low_reached and high_reached:
            return "yes"
        return "unsure" if low_reached or high_reached else "no"


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        subject: the module that it is from.
        name: what is measured; no other case of the subject has it.
        unit: of the ways' values: s, ms or images/s.
        size: what its cost depends on; with another size it is another measurement.
        open: prepares the ways, and cleans up after them.
        figure: what a round comes to, see `figure`.
        aim: what the figure should reach.
        memory_aim_mb: the most that the first way may take.
        rounds: how many.
    """

    subject: str
    name: str
    unit: str
    size: Mapping[str, int | str]
    open: Callable[[], AbstractContextManager[Ways]]
    figure: Figure = "ratio"
    aim: Aim | None = None
    memory_aim_mb: float | None = None
    rounds: int = INTERVAL_ROUNDS

    def measure(self, begun: int = 0) -> Iterator[dict[str, Sample]]:
        """Every round, by way.

        Args:
            begun: rounds that were measured earlier.
        """
        with self.open() as ways:
            for number in range(begun, self.rounds):
                names = list(ways)[:: 1 if number % 2 == 0 else -1]
                samples = {name: ways[name]() for name in names}
                yield {name: samples[name] for name in ways}


def figure(kind: Figure, values: Mapping[str, float]) -> float:
    """What a round comes to.

    `value`: the first way's value. `ratio`: the first way's value, divided by the second's. `exponent`: how the cost
    grows with the size, see `exponent`; the names of the ways are the sizes.

    Args:
        kind: which of these.
        values: of one round, by way.
    """
    if kind == "exponent":
        return exponent({int(size): seconds for size, seconds in values.items()})
    first, *others = values.values()
    return first if kind == "value" else first / others[0]


def exponent(seconds: Mapping[int, float]) -> float:
    """Exponent k of a cost a + b * size^k, from three sizes that grow by one factor: 1 linear, 2 quadratic.

    The fixed cost a, such as that of the start, cancels out. Where nothing grows, it is 0.

    Args:
        seconds: by size.
    """
    (first, small), (second, medium), (_, large) = sorted(seconds.items())
    return math.log(max(large - medium, LEAST) / max(medium - small, LEAST), second / first)
