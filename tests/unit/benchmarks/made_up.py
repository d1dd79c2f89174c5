"""A case whose ways take as long as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.circumstances import Circumstances
from benchmarks.measuring import Case, Sample, Ways

HERE = Circumstances(commit="abc1234", machine="some CPU, 2 cores", versions={"torch": "2.14.1"})


def make_case(told: Callable[[str], float | Sample] = lambda _: 1.0, **changes: Any) -> Case:
    """A case of the ways `ours` and `peer`.

    Args:
        told: what a way's run gives, by the way's name.
        changes: fields of the case.
    """

    @contextmanager
    def opened() -> Iterator[Ways]:
        def way(name: str) -> Callable[[], Sample]:
            def run() -> Sample:
                found = told(name)
                return found if isinstance(found, Sample) else Sample(found)

            return run

        yield {name: way(name) for name in ("ours", "peer")}

    values: dict[str, Any] = {
        "subject": "training",
        "name": "mnv1_n",
        "unit": "s",
        "size": {"images": 200},
        "open": opened,
    }
    return Case(**(values | changes))
