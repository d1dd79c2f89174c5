"""The report of a comparison: pages in both languages, errors, figures and tables."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measuring import Aim, Case, Scale, Ways
from benchmarks.processes import python, run
from benchmarks.workspaces import scratch

CLASSES = 4


def cases(scale: Scale) -> list[Case]:
    """One report, without the verdict and the imports."""
    images = 100 if scale.quick else 5_000
    case = Case(
        subject="report",
        name="all reports of a comparison",
        unit="s",
        size={"images": images, "classes": CLASSES, "seeds": 1},
        open=partial(_opened, images),
        figure="value",
        aim=Aim("at most", 5.0),
        rounds=scale.rounds(),
    )
    return [case]


@contextmanager
def _opened(images: int) -> Iterator[Ways]:
    with scratch() as folder:
        command = python("benchmarks.report", str(images))
        yield {"report": lambda: run(command, folder, told=True)}


def main() -> None:
    """Make up results on so many images, write the reports below this folder, and print the seconds."""
    from PIL import Image

    from mobileyolo.core.backbones import ARMS
    from mobileyolo.reporting.comparison.report import write_reports
    from tests.synthetic_boxes import SIZE, make_boxes
    from tests.synthetic_comparison import make_inputs

    images, data = int(sys.argv[1]), Path("data").resolve()
    inputs, results = make_inputs(data), {}
    for seed, arm in enumerate(ARMS):
        (result,) = inputs.results[arm]
        made = make_boxes(seed, images=images, classes=CLASSES)
        tables = {name: getattr(made, name) for name in ("images", "predictions", "boxes", "targets")}
        results[arm] = [dataclasses.replace(result, statistics=dataclasses.replace(result.statistics, **tables))]
    picture = Image.new("RGB", (SIZE, SIZE), (90, 120, 60))
    for name in results["baseline"][0].statistics.images["image"]:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(data / name)
    start = time.perf_counter()
    write_reports(dataclasses.replace(inputs, results=results))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
