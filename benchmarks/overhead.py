"""What the pipeline adds to the trainings and evaluations in it, and how long one waits for its commands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import yaml

from benchmarks.circumstances import ROOT
from benchmarks.datasets import Splits, write_dataset, write_unused_files
from benchmarks.measuring import Aim, Case, Sample, Scale, Ways
from benchmarks.processes import console_script, python, run
from benchmarks.workspaces import TINY, Changes, Checkout, checkout, scratch
from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import DIGITS_DIR

STAGES = sorted(file.stem for file in (ROOT / "stages").glob("[a-z]*.py"))
DIGITS = {"train": 800, "val": 80, "test": 200, "scene_size": 160}  # the shipped ones
SHIPPED = {"imgsz": 128, "batch": 8, "nbs": 8}
FEW = {"train": 8, "val": 4, "test": 4, "scene_size": 96}


def cases(scale: Scale) -> list[Case]:
    """The whole pipeline, pipelines in which nothing is to be done, and starts."""
    digits, epochs = (FEW, 1) if scale.quick else (DIGITS, 40)
    unused = 200 if scale.quick else 100_000
    recipe = {**(TINY if scale.quick else SHIPPED), "epochs": epochs}
    whole = Case(
        subject="overhead",
        name="dvc repro, and its trainings and evaluations alone",
        unit="s",
        size={"digits": digits["train"], "epochs": epochs},
        open=lambda: _whole({"digits": digits, "train": recipe}),
        aim=Aim("at most", 1.05),
        rounds=scale.rounds(3),  # each takes an hour
    )
    idle = Case(
        subject="overhead",
        name="dvc repro with nothing to do",
        unit="s",
        size={"digits": sum(digits[split] for split in ("train", "val", "test"))},
        open=lambda: _in_finished(digits, lambda work: {"dvc repro": partial(work.dvc, "repro")}),
        figure="value",
        aim=Aim("at most", 2.0),
        rounds=scale.rounds(10),
    )
    many = Case(
        subject="overhead",
        name=f"the same with {unused:,} files, and DVC with one stage",
        unit="s",
        size={"files": unused},
        open=lambda: _many_files(unused),
        aim=Aim("at most", 1.3),
        rounds=scale.rounds(10),
    )
    show = Case(
        subject="overhead",
        name="mobileyolo show",
        unit="s",
        size={"digits": sum(FEW[split] for split in ("train", "val", "test"))},
        open=lambda: _in_finished(FEW, lambda work: _script(work.path, "show")),
        figure="value",
        aim=Aim("at most", 1.0),
        rounds=scale.rounds(10),
    )
    help_ = _start("mobileyolo --help", scale, lambda folder: _script(folder, "--help"), Aim("at most", 0.3))
    starts = [
        _start(f"start of the stage {stage}", scale, partial(_imports, stage))
        for stage in (("check",) if scale.quick else STAGES)
    ]
    return [help_, *starts, idle] if scale.quick else [whole, idle, many, help_, show, *starts]


def _start(name: str, scale: Scale, ways: Callable[[Path], Ways], aim: Aim | None = None) -> Case:
    """A process that needs no workspace."""

    @contextmanager
    def opened() -> Iterator[Ways]:
        with scratch() as folder:
            yield ways(folder)

    rounds = scale.rounds(10)
    return Case("overhead", name, "s", {"processes": 1}, opened, figure="value", aim=aim, rounds=rounds)


def _script(folder: Path, word: str) -> Ways:
    return {"mobileyolo": lambda: run(console_script("mobileyolo", word), folder)}


def _imports(stage: str, folder: Path) -> Ways:
    """All that a stage imports where it has work to do, also in its functions, in a process that begins like it."""
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    found = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    statements = "\n".join(line for line in found if "__future__" not in line)
    code = f"import sys; sys.argv[0] = '-m'\nimport stages\n{statements}"
    return {stage: lambda: run([sys.executable, "-c", code], folder)}


@contextmanager
def _whole(changes: Changes) -> Iterator[Ways]:
    with checkout(lambda _: DIGITS_DIR, changes) as work:
        for arm in ARMS:
            work.make_trainable(arm)

        def repro() -> Sample:
            work.forget_trainings()
            return work.dvc("repro", "--force")

        def bare() -> Sample:
            work.forget_trainings()
            return run(python("benchmarks.bare"), work.path)

        yield {"dvc repro": repro, "trainings and evaluations": bare}


@contextmanager
def _in_finished(digits: dict[str, int], ways: Callable[[Checkout], Ways]) -> Iterator[Ways]:
    """Ways in a checkout in which `dvc repro` has run, with as little training as possible."""
    few = {"latency": {"rounds": 6}, "compare": {"resamples": 100}}  # it is not this run that is timed
    with checkout(lambda _: DIGITS_DIR, {"digits": digits, "train": TINY, **few}) as work:
        work.dvc("repro")
        yield ways(work)


@contextmanager
def _many_files(unused: int) -> Iterator[Ways]:
    """A small dataset beside many files: what DVC looks at is the whole folder, what is trained on is not."""

    def write(root: Path) -> Path:
        dataset = write_dataset(root, Splits(8, 4, 4), width=96, height=96)
        write_unused_files(dataset / "unused", unused)
        return dataset

    with checkout(write, {"train": TINY}) as work:
        work.dvc("repro")
        floor = work.path.parent / "floor"
        floor.mkdir()
        for command in (["git", "init", "--quiet"], python("dvc", "init", "--quiet")):
            run(command, floor)
        data = work.params()["data"]["dir"]
        stage = {"cmd": "python -c \"open('out', 'w').write('done')\"", "deps": [data], "outs": ["out"]}
        (floor / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"one": stage}}), encoding="utf-8")
        run(python("dvc", "repro"), floor)
        yield {"dvc repro": partial(work.dvc, "repro"), "one stage": lambda: run(python("dvc", "repro"), floor)}
