from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mobileyolo.core.records import Teacher
from mobileyolo.reporting.comparison import reproduction
from mobileyolo.verdict.records import TrainedTeacher
from tests.synthetic_comparison import DIGEST, make_inputs

PARSER = OverridesParser.create()  # Hydra's, by which `dvc exp run` reads -S


def read(command: str) -> dict[str, object]:
    """The parameters that a pasted command sets."""
    words = shlex.split(command)
    assert words[:3] == ["dvc", "exp", "run"]
    assert set(words[3::2]) == {"-S"}
    overrides = [PARSER.parse_override(word) for word in words[4::2]]
    return {override.key_or_group: override.value() for override in overrides}


def test_the_command_sets_all_that_the_comparison_depends_on() -> None:
    inputs = make_inputs(Path("data/raw/digits"), seeds=2)
    assert read(reproduction.command(inputs)) == {
        "data.dir": "data/raw/digits",
        "backbone": "mnv1_n",
        "baseline": "yolo11n",
        "train.epochs": 40,
        "train.imgsz": 320,
        "train.cos_lr": False,
        "compare.margin": 0.01,
        "compare.confidence": 0.95,
        "seeds": [0, 1],
    }


def test_the_command_names_starting_weights_as_they_were_typed() -> None:
    inputs = dataclasses.replace(make_inputs(), init={"backbone": "imagenet", "detector": "/my data/yolo11n.pt"})
    parameters = read(reproduction.command(inputs))
    assert (parameters["init.backbone"], parameters["init.detector"]) == ("imagenet", "/my data/yolo11n.pt")


TRAINED = TrainedTeacher(backbone="yolo11s", seed=1, weights_digest=DIGEST, map50_95=0.6, val_map50_95=0.61)


@pytest.mark.parametrize(
    ("teacher", "trained", "file", "expected"),
    [
        (Teacher(name="none"), None, "none", {}),
        (Teacher(name="yolo11n s0", digest=DIGEST, dis=6.0), None, "none", {"train.teacher": "baseline"}),
        (
            Teacher(name="yolo11s", digest=DIGEST, dis=6.0, both_arms=True),
            TRAINED,
            "none",
            {"train.teacher": "yolo11s", "train.taught": "both"},
        ),
        (
            Teacher(name="yolo11s", digest=DIGEST, dis=6.0),
            TRAINED,
            "none",
            {"train.teacher": "yolo11s", "train.taught": "candidate"},
        ),
        (
            Teacher(name="my teacher.pt", digest=DIGEST, dis=6.0, both_arms=True),
            None,
            "/my data/my teacher.pt",
            {"init.teacher": "/my data/my teacher.pt", "train.taught": "both"},
        ),
    ],
    ids=["nobody", "baseline", "both by a model", "one by a model", "both by a file"],
)
def test_the_command_names_a_teacher_as_it_was_asked_for(
    teacher: Teacher, trained: TrainedTeacher | None, file: str, expected: dict[str, object]
) -> None:
    inputs = make_inputs()
    taught = inputs.comparison.candidate.model_copy(update={"teachers": (teacher,)})
    comparison = inputs.comparison.model_copy(update={"candidate": taught, "teacher": trained})
    inputs = dataclasses.replace(inputs, comparison=comparison, init={"teacher": file})
    parameters = read(reproduction.command(inputs))
    of_teacher = {"init.teacher", "train.teacher", "train.taught", "train.dis"}
    found = {key: value for key, value in parameters.items() if key in of_teacher}
    assert found == (expected | {"train.dis": 6.0} if expected else {})


def test_the_first_seed_is_the_one_of_the_teacher() -> None:
    inputs = make_inputs(seeds=3)
    comparison = inputs.comparison.model_copy(update={"teacher": TRAINED})
    parameters = read(reproduction.command(dataclasses.replace(inputs, comparison=comparison)))
    assert parameters["seeds"] == [1, 0, 2]
